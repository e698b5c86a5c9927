// BLEU with up to 4-grams (Papineni et al. 2002), against any number of references, from 0 to 1.
// Words come from mteval_words.
#pragma once

#include <span>

#include "metrics/segment.h"

namespace molt {

// Of a whole system, as mteval-v13a.pl gives it: counts summed over segments, the closest reference
// length (of two as close, the shorter), a precision without a match smoothed to 1 / (2^k n). Where
// segments have unequally many references, the missing ones count as empty texts. 0 without
// segments.
double bleu(std::span<const Segment> segments);

// Of one segment, as e2e-metrics reports it: nothing is smoothed, a precision of zero is a very
// small number. `added` is added to each count: 1 gives its sentBLEU. An empty output scores 0.
double segment_bleu(const Segment& segment, double added = 0);

}  // namespace molt
