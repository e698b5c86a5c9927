// Texts have many character n-grams: instead of storing them in a table, the positions of each text
// are sorted by the characters that follow. Equal n-grams of any length are adjacent in that order,
// and two texts are compared in one pass over both.
#include "metrics/chrf.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "metrics/white_space.h"

namespace mixtune {
namespace {

constexpr size_t kLongestCharacters = 6;
constexpr double kBeta2 = 2 * 2;

struct LengthCounts {
  int64_t output = 0, reference = 0, matches = 0;
};
using ChrfCounts = std::array<LengthCounts, kLongestCharacters>;

// Precision and recall are means over the n-gram lengths that both sides have.
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

// Up to six characters as one number, the first in the highest bits, so that keys compare like the
// characters. A character is stored as its code point + 1; 0 means no character.
using Key = unsigned __int128;
constexpr int kBits = 21;

Key first_of(Key key, size_t n) {
  const int dropped = kBits * static_cast<int>(kLongestCharacters - n);
  return key >> dropped << dropped;
}

bool has_length(Key key, size_t n) {
  return (key >> (kBits * static_cast<int>(kLongestCharacters - n)) & ((1u << kBits) - 1)) != 0;
}

class Characters {
 public:
  explicit Characters(const std::string& text) {
    Key next = 0;
    std::u32string characters = code_points(text);
    std::erase_if(characters, is_space);
    for (size_t i = characters.size(); i-- > 0;) {
      next = next >> kBits | static_cast<Key>(characters[i] + 1)
                                 << (kBits * (kLongestCharacters - 1));
      sorted_.push_back(next);
    }
    std::sort(sorted_.begin(), sorted_.end());
  }

  int64_t ngrams(size_t n) const {
    return std::max<int64_t>(static_cast<int64_t>(sorted_.size() + 1) - static_cast<int64_t>(n), 0);
  }

  // Counts the sorted n-grams of length n that equal the one at `at`, and moves `at` behind them.
  // Returns false at the end. Positions too close to the end of the text have no such n-gram and
  // are skipped.
  bool next(size_t n, size_t& at, Key& ngram, int64_t& count) const {
    while (at < sorted_.size() && !has_length(sorted_[at], n)) ++at;
    if (at == sorted_.size()) return false;
    ngram = first_of(sorted_[at], n);
    for (count = 0; at < sorted_.size() && first_of(sorted_[at], n) == ngram; ++at) ++count;
    return true;
  }

 private:
  std::vector<Key> sorted_;  // the n-gram that begins at each position
};

int64_t count_matches(const Characters& a, const Characters& b, size_t n) {
  size_t at_a = 0, at_b = 0;
  Key from_a = 0, from_b = 0;
  int64_t count_a = 0, count_b = 0, matches = 0;
  bool more = a.next(n, at_a, from_a, count_a) && b.next(n, at_b, from_b, count_b);
  while (more) {
    if (from_a == from_b) matches += std::min(count_a, count_b);
    const bool moves_a = from_a <= from_b, moves_b = from_b <= from_a;
    more = (!moves_a || a.next(n, at_a, from_a, count_a)) &&
           (!moves_b || b.next(n, at_b, from_b, count_b));
  }
  return matches;
}

ChrfCounts compare(const Characters& output, const Characters& reference) {
  ChrfCounts counts;
  for (size_t n = 1; n <= kLongestCharacters; ++n) {
    const int64_t references = reference.ngrams(n);
    // The output's n-grams are not counted if the reference is too short to have any, so that an
    // output without a reference adds nothing to the sums.
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
    for (size_t n = 0; n < kLongestCharacters; ++n) {
      sums[n].output += counts[n].output;
      sums[n].reference += counts[n].reference;
      sums[n].matches += counts[n].matches;
    }
    out.segments.push_back(f_score(counts));
  }
  out.system = f_score(sums);
  return out;
}

}  // namespace mixtune
