// Characters have many n-grams: instead of a table of them, each text has its positions in the
// order of the characters that follow. Equal n-grams of any length are neighbours there, and two
// texts are compared by one walk along both.
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

class Characters {
 public:
  explicit Characters(const std::string& text) : characters_(code_points(text)) {
    std::erase_if(characters_, is_space);
    const Ngram all = characters_;
    for (size_t i = 0; i < all.size(); ++i) sorted_.push_back(all.substr(i, kLongest));
    std::sort(sorted_.begin(), sorted_.end());
  }
  Characters(const Characters&) = delete;
  Characters& operator=(const Characters&) = delete;

  int64_t ngrams(size_t n) const {
    return std::max<int64_t>(static_cast<int64_t>(sorted_.size() + 1) - static_cast<int64_t>(n), 0);
  }

  // The sorted n-grams of length n that are equal to the one at `at`, which moves behind them.
  // False at the end; positions too near to the end of the text have no such n-gram and are passed
  // over.
  bool next(size_t n, size_t& at, Ngram& ngram, int64_t& count) const {
    while (at < sorted_.size() && sorted_[at].size() < n) ++at;
    if (at == sorted_.size()) return false;
    ngram = sorted_[at].substr(0, n);
    for (count = 0; at < sorted_.size() && sorted_[at].substr(0, n) == ngram; ++at) ++count;
    return true;
  }

 private:
  Symbols characters_;
  std::vector<Ngram> sorted_;
};

int64_t count_matches(const Characters& a, const Characters& b, size_t n) {
  size_t at_a = 0, at_b = 0;
  Ngram from_a, from_b;
  int64_t count_a = 0, count_b = 0, matches = 0;
  bool more = a.next(n, at_a, from_a, count_a) && b.next(n, at_b, from_b, count_b);
  while (more) {
    const int order = from_a.compare(from_b);
    if (order == 0) matches += std::min(count_a, count_b);
    more = (order > 0 || a.next(n, at_a, from_a, count_a)) &&
           (order < 0 || b.next(n, at_b, from_b, count_b));
  }
  return matches;
}

ChrfCounts compare(const Characters& output, const Characters& reference) {
  ChrfCounts counts;
  for (size_t n = 1; n <= kLongest; ++n) {
    const int64_t references = reference.ngrams(n);
    // An output's n-grams are not held against it where the reference is too short to have any.
    counts[n - 1] = {.output = references == 0 ? 0 : output.ngrams(n),
                     .reference = references,
                     .matches = count_matches(output, reference, n)};
  }
  return counts;
}

ChrfCounts best_counts(const TextSegment& segment) {
  const Characters output(segment.output);
  ChrfCounts best;
  double best_score = -1;
  for (const std::string& reference : segment.references) {
    const ChrfCounts counts = compare(output, Characters(reference));
    const double score = f_score(counts);
    if (score > best_score) {
      best_score = score;
      best = counts;
    }
  }
  return best;
}

}  // namespace

ChrfScores chrf(std::span<const TextSegment> segments) {
  ChrfCounts sums;
  ChrfScores out;
  for (const TextSegment& segment : segments) {
    const ChrfCounts counts = best_counts(segment);
    for (size_t n = 0; n < kLongest; ++n) {
      sums[n].output += counts[n].output;
      sums[n].reference += counts[n].reference;
      sums[n].matches += counts[n].matches;
    }
    out.segments.push_back(f_score(counts));
  }
  out.system = f_score(sums);
  return out;
}

}  // namespace molt
