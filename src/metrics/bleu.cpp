#include "metrics/bleu.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "metrics/ngrams.h"

namespace molt {
namespace {

constexpr size_t kLongest = 4;

struct BleuCounts {
  std::array<int64_t, kLongest> matches = {}, candidates = {};
  int64_t length = 0, reference_length = 0;
};

// `references`: how many the segment counts as having.
void add_segment(const Segment& segment, size_t references, BleuCounts& counts) {
  WordSymbols symbols;
  const SymbolSegment words = symbols_of(segment, symbols);
  const auto length = static_cast<int64_t>(words.output.size());
  const NgramCounts largest = largest_counts(words.references, kLongest);
  for (const auto& [ngram, count] : count_ngrams(words.output, kLongest))
    if (const auto found = largest.find(ngram); found != largest.end())
      counts.matches[ngram.size() - 1] += std::min(count, found->second);
  for (size_t n = 0; n < kLongest; ++n)
    counts.candidates[n] += std::max<int64_t>(length - static_cast<int64_t>(n), 0);
  counts.length += length;

  std::vector<int64_t> lengths;
  for (const Symbols& reference : words.references)
    lengths.push_back(static_cast<int64_t>(reference.size()));
  if (lengths.size() < references || lengths.empty()) lengths.push_back(0);
  counts.reference_length +=
      *std::min_element(lengths.begin(), lengths.end(), [&](int64_t a, int64_t b) {
        const int64_t off_a = std::abs(a - length), off_b = std::abs(b - length);
        return off_a < off_b || (off_a == off_b && a < b);
      });
}

double ratio(int64_t a, int64_t b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

double brevity(const BleuCounts& counts) {
  if (counts.length == 0) return 0;
  return std::exp(std::min(0.0, 1 - ratio(counts.reference_length, counts.length)));
}

}  // namespace

double bleu(std::span<const Segment> segments) {
  size_t references = 0;
  for (const Segment& segment : segments)
    references = std::max(references, segment.references.size());
  BleuCounts counts;
  for (const Segment& segment : segments) add_segment(segment, references, counts);
  double sum = 0;
  int64_t smoothing = 1;
  for (size_t n = 0; n < kLongest; ++n) {
    if (counts.candidates[n] == 0) continue;  // too short for such n-grams: counts as 1
    if (counts.matches[n] == 0)
      sum -= std::log(static_cast<double>((smoothing *= 2) * counts.candidates[n]));
    else
      sum += std::log(ratio(counts.matches[n], counts.candidates[n]));
  }
  return std::exp(sum / kLongest) * brevity(counts);
}

double segment_bleu(const Segment& segment, double added) {
  constexpr double kSmallestMatches = 1e-15, kSmallestCandidates = 1e-9;  // those of e2e-metrics
  BleuCounts counts;
  add_segment(segment, segment.references.size(), counts);
  if (counts.length == 0) return 0;
  double sum = 0;
  for (size_t n = 0; n < kLongest; ++n)
    sum +=
        std::log(std::max(static_cast<double>(counts.matches[n]) + added, kSmallestMatches) /
                 std::max(static_cast<double>(counts.candidates[n]) + added, kSmallestCandidates));
  return std::exp(sum / kLongest) * brevity(counts);
}

}  // namespace molt
