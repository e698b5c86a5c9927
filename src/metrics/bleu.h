// BLEU with up to 4-grams (Papineni et al. 2002), against any number of references, from 0 to 1.
// Words come from mteval_words.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "metrics/segment.h"

namespace mixtune {

// What BLEU counts in a segment; a system's counts are the sums. Of references of unequal length
// the closest to the output counts (of two as close, the shorter), empty ones only where all are.
struct BleuCounts {
  static constexpr size_t kLongest = 4;
  std::array<int64_t, kLongest> matches = {}, candidates = {};
  int64_t length = 0, reference_length = 0;

  void add(const BleuCounts& other);
};
BleuCounts bleu_counts(const WordSegment& segment);

// As mteval-v13a gives it: a precision without a match is smoothed to 1 / (2^k n), k counting such
// precisions; n-grams that no output is long enough for count as precision 1. 0 without a word.
double bleu(const BleuCounts& counts);
double bleu(std::span<const WordSegment> segments);

// Of one segment, as e2e-metrics reports it: nothing is smoothed, a precision of zero is a very
// small number. `added` is added to each count: 1 gives its sentBLEU. An empty output scores 0.
double segment_bleu(const BleuCounts& counts, double added = 0);

}  // namespace mixtune
