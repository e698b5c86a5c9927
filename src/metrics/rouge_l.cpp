#include "metrics/rouge_l.h"

#include <algorithm>

#include "metrics/ngrams.h"

namespace mixtune {
namespace {

size_t longest_common_subsequence(const Symbols& a, const Symbols& b) {
  std::vector<size_t> row(b.size() + 1);  // LCS of the words of a so far and the first words of b
  for (const char32_t word : a) {
    size_t diagonal = 0;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = word == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

double rouge_l(const WordSegment& segment) {
  WordSymbols symbols;
  const SymbolSegment words = symbols_of(segment, symbols);
  double precision = 0, recall = 0;
  for (const Symbols& reference : words.references) {
    if (words.output.empty() || reference.empty()) continue;
    const auto common = static_cast<double>(longest_common_subsequence(words.output, reference));
    precision = std::max(precision, common / static_cast<double>(words.output.size()));
    recall = std::max(recall, common / static_cast<double>(reference.size()));
  }
  if (precision == 0 || recall == 0) return 0;
  constexpr double kBeta2 = 1.2 * 1.2;
  return (1 + kBeta2) * precision * recall / (recall + kBeta2 * precision);
}

}  // namespace mixtune
