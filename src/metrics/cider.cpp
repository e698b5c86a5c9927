#include "metrics/cider.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "metrics/ngrams.h"

namespace molt {
namespace {

constexpr size_t kLongest = 4;
constexpr double kSigma = 6;  // of the Gauss curve over the difference in length

// In how many segments the references have an n-gram.
NgramCounts document_frequency(const std::vector<SymbolSegment>& segments) {
  NgramCounts out;
  for (const SymbolSegment& segment : segments)
    for (const auto& [ngram, count] : largest_counts(segment.references, kLongest)) ++out[ngram];
  return out;
}

struct Vector {
  std::unordered_map<Ngram, double> weights;
  std::array<double, kLongest> norms = {};
  double length = 0;  // in bigrams, as coco-caption counts it
};

class Vectors {
 public:
  Vectors(const NgramCounts& frequency, size_t segments)
      : frequency_(frequency), log_segments_(std::log(static_cast<double>(segments))) {}

  Vector operator()(const Symbols& words) const {
    Vector out;
    for (const auto& [ngram, count] : count_ngrams(words, kLongest)) {
      const auto found = frequency_.find(ngram);
      const double documents = found == frequency_.end() ? 1 : static_cast<double>(found->second);
      const double weight = static_cast<double>(count) * (log_segments_ - std::log(documents));
      out.weights.emplace(ngram, weight);
      out.norms[ngram.size() - 1] += weight * weight;
    }
    for (double& norm : out.norms) norm = std::sqrt(norm);
    out.length = words.empty() ? 0 : static_cast<double>(words.size() - 1);
    return out;
  }

 private:
  const NgramCounts& frequency_;
  double log_segments_;
};

// The mean over n-gram lengths of the cosine, with the output's weights clipped to the reference's.
double similarity(const Vector& output, const Vector& reference) {
  std::array<double, kLongest> products = {};
  for (const auto& [ngram, weight] : output.weights)
    if (const auto found = reference.weights.find(ngram); found != reference.weights.end())
      products[ngram.size() - 1] += std::min(weight, found->second) * found->second;
  double sum = 0;
  for (size_t n = 0; n < kLongest; ++n) {
    const double norms = output.norms[n] * reference.norms[n];
    if (norms != 0) sum += products[n] / norms;
  }
  const double difference = output.length - reference.length;
  return sum / kLongest * std::exp(-difference * difference / (2 * kSigma * kSigma));
}

}  // namespace

std::vector<double> cider(std::span<const Segment> segments) {
  WordSymbols symbols;
  std::vector<SymbolSegment> all;
  for (const Segment& segment : segments) all.push_back(symbols_of(segment, symbols));
  const NgramCounts frequency = document_frequency(all);
  const Vectors vector(frequency, all.size());
  std::vector<double> out;
  for (const SymbolSegment& segment : all) {
    const Vector output = vector(segment.output);
    double sum = 0;
    for (const Symbols& reference : segment.references)
      sum += similarity(output, vector(reference));
    out.push_back(
        segment.references.empty() ? 0 : 10 * sum / static_cast<double>(segment.references.size()));
  }
  return out;
}

}  // namespace molt
