#include "metrics/chrf.h"

#include <algorithm>
#include <array>

#include "metrics/ngrams.h"
#include "metrics/white_space.h"

namespace molt {
namespace {

constexpr size_t kLongest = 6;
constexpr double kBeta2 = 2 * 2;

struct LengthCounts {
  int64_t output = 0, reference = 0, matches = 0;
};
using ChrfCounts = std::array<LengthCounts, kLongest>;

// Precision and recall are means over the lengths that both sides have n-grams of.
double f_score(const ChrfCounts& counts) {
  double precision = 0, recall = 0;
  int lengths = 0;
  for (const LengthCounts& n : counts) {
    if (n.output == 0 || n.reference == 0) continue;
    precision += static_cast<double>(n.matches) / static_cast<double>(n.output);
    recall += static_cast<double>(n.matches) / static_cast<double>(n.reference);
    ++lengths;
  }
  if (precision + recall == 0) return 0;
  precision /= lengths;
  recall /= lengths;
  return 100 * (1 + kBeta2) * precision * recall / (kBeta2 * precision + recall);
}

Symbols without_spaces(const std::string& text) {
  Symbols out = code_points(text);
  std::erase_if(out, is_space);
  return out;
}

ChrfCounts compare(const NgramCounts& output, const NgramCounts& reference) {
  ChrfCounts counts;
  for (const auto& [ngram, count] : reference) counts[ngram.size() - 1].reference += count;
  for (const auto& [ngram, count] : output) {
    LengthCounts& n = counts[ngram.size() - 1];
    n.output += count;
    if (const auto found = reference.find(ngram); found != reference.end())
      n.matches += std::min(count, found->second);
  }
  // An output's n-grams are not held against it where the reference is too short to have any.
  for (LengthCounts& n : counts)
    if (n.reference == 0) n.output = 0;
  return counts;
}

ChrfCounts best_counts(const TextSegment& segment) {
  const Symbols output = without_spaces(segment.output);
  const NgramCounts output_ngrams = count_ngrams(output, kLongest);
  ChrfCounts best;
  double best_score = -1;
  for (const std::string& text : segment.references) {
    const Symbols reference = without_spaces(text);
    const ChrfCounts counts = compare(output_ngrams, count_ngrams(reference, kLongest));
    const double score = f_score(counts);
    if (score > best_score) {
      best_score = score;
      best = counts;
    }
  }
  return best;
}

}  // namespace

double chrf(std::span<const TextSegment> segments) {
  ChrfCounts sums;
  for (const TextSegment& segment : segments) {
    const ChrfCounts counts = best_counts(segment);
    for (size_t n = 0; n < kLongest; ++n) {
      sums[n].output += counts[n].output;
      sums[n].reference += counts[n].reference;
      sums[n].matches += counts[n].matches;
    }
  }
  return f_score(sums);
}

double chrf(const TextSegment& segment) {
  return chrf({&segment, 1});
}

}  // namespace molt
