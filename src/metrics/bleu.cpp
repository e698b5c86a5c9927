#include "metrics/bleu.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "metrics/ngrams.h"

namespace mixtune {
namespace {

int64_t closest_length(const std::vector<Symbols>& references, int64_t length) {
  int64_t best = 0;
  for (const Symbols& reference : references) {
    const auto next = static_cast<int64_t>(reference.size());
    if (next == 0) continue;
    const int64_t off = std::abs(next - length), best_off = std::abs(best - length);
    if (best == 0 || off < best_off || (off == best_off && next < best)) best = next;
  }
  return best;
}

double ratio(int64_t a, int64_t b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

double brevity(const BleuCounts& counts) {
  if (counts.length == 0) return 0;
  return std::exp(std::min(0.0, 1 - ratio(counts.reference_length, counts.length)));
}

}  // namespace

void BleuCounts::add(const BleuCounts& other) {
  for (size_t n = 0; n < BleuCounts::kLongest; ++n) {
    matches[n] += other.matches[n];
    candidates[n] += other.candidates[n];
  }
  length += other.length;
  reference_length += other.reference_length;
}

BleuCounts bleu_counts(const WordSegment& segment) {
  WordSymbols symbols;
  const SymbolSegment words = symbols_of(segment, symbols);
  BleuCounts out;
  out.length = static_cast<int64_t>(words.output.size());
  out.reference_length = closest_length(words.references, out.length);
  for (size_t n = 0; n < BleuCounts::kLongest; ++n)
    out.candidates[n] = std::max<int64_t>(out.length - static_cast<int64_t>(n), 0);
  const LargestCounts largest = largest_counts(words.references, BleuCounts::kLongest);
  for (const auto& [ngram, count] : count_ngrams(words.output, BleuCounts::kLongest))
    if (const auto found = largest.find(ngram); found != largest.end())
      out.matches[ngram.size() - 1] += std::min(count, found->second.largest);
  return out;
}

double bleu(const BleuCounts& counts) {
  double sum = 0;
  int64_t smoothing = 1;
  for (size_t n = 0; n < BleuCounts::kLongest; ++n) {
    if (counts.candidates[n] == 0) continue;
    if (counts.matches[n] == 0)
      sum -= std::log(static_cast<double>((smoothing *= 2) * counts.candidates[n]));
    else
      sum += std::log(ratio(counts.matches[n], counts.candidates[n]));
  }
  return std::exp(sum / BleuCounts::kLongest) * brevity(counts);
}

double bleu(std::span<const WordSegment> segments) {
  BleuCounts counts;
  for (const WordSegment& segment : segments) counts.add(bleu_counts(segment));
  return bleu(counts);
}

double segment_bleu(const BleuCounts& counts, double added) {
  constexpr double kSmallestMatches = 1e-15, kSmallestCandidates = 1e-9;  // as in e2e-metrics
  if (counts.length == 0) return 0;
  double sum = 0;
  for (size_t n = 0; n < BleuCounts::kLongest; ++n)
    sum +=
        std::log(std::max(static_cast<double>(counts.matches[n]) + added, kSmallestMatches) /
                 std::max(static_cast<double>(counts.candidates[n]) + added, kSmallestCandidates));
  return std::exp(sum / BleuCounts::kLongest) * brevity(counts);
}

}  // namespace mixtune
