#include "metrics/cider.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "metrics/ngrams.h"

namespace mixtune {
namespace {

constexpr size_t kCiderLongest = 4;
constexpr double kSigma = 6;  // of the Gaussian length penalty

// The number of segments whose references have an n-gram.
NgramCounts document_frequency(const std::vector<SymbolSegment>& segments) {
  NgramCounts out;
  for (const SymbolSegment& segment : segments)
    for (const auto& [ngram, count] : largest_counts(segment.references, kCiderLongest))
      ++out[ngram];
  return out;
}

// IDF weight of an n-gram: -log(fraction of segments whose references have it).
class Weights {
 public:
  explicit Weights(const std::vector<SymbolSegment>& segments)
      : frequency_(document_frequency(segments)),
        log_segments_(std::log(static_cast<double>(segments.size()))) {}

  double operator()(Ngram ngram) const {
    const auto found = frequency_.find(ngram);
    return log_segments_ -
           (found == frequency_.end() ? 0 : std::log(static_cast<double>(found->second)));
  }

 private:
  NgramCounts frequency_;
  double log_segments_;
};

// A text as a vector with one entry per n-gram: its count times its weight.
struct Vector {
  NgramCounts counts;
  std::array<double, kCiderLongest> norms = {};
  double length = 0;  // in bigrams, as in coco-caption
};

Vector vector_of(const Symbols& words, const Weights& weights) {
  Vector out;
  out.counts = count_ngrams(words, kCiderLongest);
  for (const auto& [ngram, count] : out.counts) {
    const double entry = static_cast<double>(count) * weights(ngram);
    out.norms[ngram.size() - 1] += entry * entry;
  }
  for (double& norm : out.norms) norm = std::sqrt(norm);
  out.length = words.empty() ? 0 : static_cast<double>(words.size() - 1);
  return out;
}

// The mean cosine similarity over n-gram lengths, with the output's entries clipped to the
// reference's.
double similarity(const Vector& output, const Vector& reference, const Weights& weights) {
  std::array<double, kCiderLongest> products = {};
  for (const auto& [ngram, count] : output.counts)
    if (const auto found = reference.counts.find(ngram); found != reference.counts.end()) {
      const double weight = weights(ngram);
      products[ngram.size() - 1] +=
          static_cast<double>(std::min(count, found->second) * found->second) * weight * weight;
    }
  double sum = 0;
  for (size_t n = 0; n < kCiderLongest; ++n) {
    const double norms = output.norms[n] * reference.norms[n];
    if (norms != 0) sum += products[n] / norms;
  }
  const double difference = output.length - reference.length;
  return sum / kCiderLongest * std::exp(-difference * difference / (2 * kSigma * kSigma));
}

}  // namespace

std::vector<double> cider(std::span<const WordSegment> segments) {
  WordSymbols symbols;
  std::vector<SymbolSegment> all;
  for (const WordSegment& segment : segments) all.push_back(symbols_of(segment, symbols));
  const Weights weights(all);
  std::vector<double> out;
  for (const SymbolSegment& segment : all) {
    const Vector output = vector_of(segment.output, weights);
    double sum = 0;
    for (const Symbols& reference : segment.references)
      sum += similarity(output, vector_of(reference, weights), weights);
    out.push_back(
        segment.references.empty() ? 0 : 10 * sum / static_cast<double>(segment.references.size()));
  }
  return out;
}

}  // namespace mixtune
