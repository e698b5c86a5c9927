#include "metrics/nist.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "metrics/ngrams.h"

namespace mixtune {
namespace {

constexpr size_t kNistLongest = 5;

// 1 for outputs that are long enough, 1/2 for outputs with 2/3 of the references' words.
double length_penalty(double share) {
  if (share >= 1) return 1;
  if (share <= 0) return 0;
  const double scale = std::log(0.5) / (std::log(1.5) * std::log(1.5));
  return std::exp(scale * std::log(share) * std::log(share));
}

class Information {
 public:
  Information(const std::vector<SymbolSegment>& segments, Ngram word_zero) : word_zero_(word_zero) {
    for (const SymbolSegment& segment : segments)
      for (const Symbols& reference : segment.references) {
        count_ngrams(reference, kNistLongest, counts_);
        words_ += static_cast<int64_t>(reference.size());
        references_ += !reference.empty();
      }
  }

  int64_t words() const { return words_; }
  int64_t references() const { return references_; }

  // The information, in bits, of an n-gram that occurs in a reference.
  double operator()(Ngram ngram) const {
    const Ngram before = ngram.substr(0, ngram.size() - 1);
    // The scorer is a Perl program, where the string "0" is false like an empty one: a word after
    // "0" is weighted as if nothing preceded it.
    const bool is_first = before.empty() || before == word_zero_;
    return std::log2(static_cast<double>(is_first ? words_ : counts_.at(before)) /
                     static_cast<double>(counts_.at(ngram)));
  }

 private:
  NgramCounts counts_;
  int64_t words_ = 0, references_ = 0;
  Ngram word_zero_;
};

enum class ZeroIs { a_word, false_in_perl };

double nist_of(std::span<const WordSegment> segments, ZeroIs zero) {
  WordSymbols symbols;
  const Symbols word_zero = zero == ZeroIs::a_word ? Symbols() : symbols({"0"});
  std::vector<SymbolSegment> all;
  for (const WordSegment& segment : segments) all.push_back(symbols_of(segment, symbols));
  const Information information(all, word_zero);
  if (information.words() == 0) return 0;

  std::array<double, kNistLongest> matched = {};  // bits
  std::array<int64_t, kNistLongest> candidates = {};
  for (const SymbolSegment& segment : all) {
    const LargestCounts largest = largest_counts(segment.references, kNistLongest);
    for (const auto& [ngram, count] : count_ngrams(segment.output, kNistLongest))
      if (const auto found = largest.find(ngram); found != largest.end())
        matched[ngram.size() - 1] +=
            information(ngram) * static_cast<double>(std::min(count, found->second.largest));
    for (size_t n = 0; n < std::min(kNistLongest, segment.output.size()); ++n)
      candidates[n] += static_cast<int64_t>(segment.output.size() - n);
  }
  double sum = 0;
  for (size_t n = 0; n < kNistLongest; ++n)
    sum += matched[n] / static_cast<double>(std::max<int64_t>(candidates[n], 1));
  const double references =
      static_cast<double>(information.references()) / static_cast<double>(segments.size());
  const double mean_length = static_cast<double>(information.words()) / references;
  return sum * length_penalty(static_cast<double>(candidates[0]) / mean_length);
}

}  // namespace

double nist(std::span<const WordSegment> segments) {
  return nist_of(segments, ZeroIs::false_in_perl);
}

double segment_nist(const WordSegment& segment) {
  return nist_of({&segment, 1}, ZeroIs::a_word);
}

}  // namespace mixtune
