// BLEU with up to 4-grams (Papineni et al. 2002), against any number of references, from 0 to 1.
// Words come from mteval_words.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "metrics/segment.h"

namespace mixtune {

// BLEU's counts of a segment; a system's counts are their sums. The reference length is that of the
// reference closest in length to the output (the shorter of two equally close ones); empty
// references count only if all are empty.
struct BleuCounts {
  static constexpr size_t kLongest = 4;
  std::array<int64_t, kLongest> matches = {}, candidates = {};
  int64_t length = 0, reference_length = 0;

  void add(const BleuCounts& other);
};
BleuCounts bleu_counts(const WordSegment& segment);

// As in mteval-v13a: a precision without matches is smoothed to 1 / (2^k n), where k counts such
// precisions; n-gram lengths that no output reaches count as precision 1. 0 without words.
double bleu(const BleuCounts& counts);
double bleu(std::span<const WordSegment> segments);

// The score of one segment, as e2e-metrics reports it: without smoothing, a precision of zero
// becomes a very small number. `added` is added to each count: 1 gives its sentBLEU. An empty
// output scores 0.
double segment_bleu(const BleuCounts& counts, double added = 0);

}  // namespace mixtune
