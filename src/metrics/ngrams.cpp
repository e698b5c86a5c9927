#include "metrics/ngrams.h"

#include <algorithm>

namespace mixtune {

void count_ngrams(const Symbols& sentence, size_t longest, NgramCounts& counts) {
  const Ngram whole = sentence;
  for (size_t begin = 0; begin < whole.size(); ++begin)
    for (size_t n = 1; n <= longest && begin + n <= whole.size(); ++n)
      ++counts[whole.substr(begin, n)];
}

NgramCounts count_ngrams(const Symbols& sentence, size_t longest) {
  NgramCounts counts;
  counts.reserve(sentence.size() * longest);
  count_ngrams(sentence, longest, counts);
  return counts;
}

Symbols WordSymbols::operator()(const Words& words) {
  Symbols out;
  out.reserve(words.size());
  for (const std::string& word : words)
    out += ids_.try_emplace(word, static_cast<char32_t>(ids_.size())).first->second;
  return out;
}

SymbolSegment symbols_of(const WordSegment& segment, WordSymbols& symbols) {
  SymbolSegment out;
  out.output = symbols(segment.output);
  out.references.reserve(segment.references.size());
  for (const Words& reference : segment.references) out.references.push_back(symbols(reference));
  return out;
}

// All references share one table, because most of their n-grams are the same.
LargestCounts largest_counts(const std::vector<Symbols>& references, size_t longest) {
  LargestCounts out;
  for (size_t r = 0; r < references.size(); ++r) {
    const Ngram whole = references[r];
    for (size_t begin = 0; begin < whole.size(); ++begin)
      for (size_t n = 1; n <= longest && begin + n <= whole.size(); ++n) {
        LargestCount& count = out[whole.substr(begin, n)];
        count.in_last = count.last == r ? count.in_last + 1 : 1;
        count.last = r;
        count.largest = std::max(count.largest, count.in_last);
      }
  }
  return out;
}

}  // namespace mixtune
