// NIST with up to 5-grams (Doddington 2002): matches weighted by how much the last word of an
// n-gram says after the words before it, in bits, counted over all references. 0 and up. Words come
// from mteval_words.
#pragma once

#include <span>

#include "metrics/segment.h"

namespace molt {

// Of a whole system, as mteval-v13a.pl gives it. Where segments have unequally many references, the
// missing ones count as empty texts in the mean reference length, which softens its length penalty.
// 0 where the references hold no word.
double nist(std::span<const Segment> segments);

// Of one segment, as e2e-metrics reports it: information from the references of that segment alone.
double segment_nist(const Segment& segment);

}  // namespace molt
