// N-gram counts. A sentence is a string of symbols, one per word (or character), so an n-gram is a
// view into it and has no memory of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "metrics/segment.h"

namespace mixtune {

using Symbols = std::u32string;
using Ngram = std::u32string_view;  // into Symbols that must outlive it
using NgramCounts = std::unordered_map<Ngram, int64_t>;

// Adds the n-grams of `sentence` of all lengths from 1 to `longest`.
void count_ngrams(const Symbols& sentence, size_t longest, NgramCounts& counts);
NgramCounts count_ngrams(const Symbols& sentence, size_t longest);

// Maps equal words to equal symbols. Use one instance for all sentences that are compared.
class WordSymbols {
 public:
  Symbols operator()(const Words& words);

 private:
  std::unordered_map<std::string, char32_t> ids_;
};

struct SymbolSegment {
  Symbols output;
  std::vector<Symbols> references;
};
SymbolSegment symbols_of(const WordSegment& segment, WordSymbols& symbols);

// For each n-gram of the references, the largest count in any one of them.
struct LargestCount {
  int64_t largest = 0;
  int64_t in_last = 0;  // count in the last reference that has it
  size_t last = 0;      // index of that reference
};
using LargestCounts = std::unordered_map<Ngram, LargestCount>;
LargestCounts largest_counts(const std::vector<Symbols>& references, size_t longest);

}  // namespace mixtune
