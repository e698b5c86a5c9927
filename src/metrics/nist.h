// NIST with up to 5-grams (Doddington 2002): matches weighted by how much the last word of an
// n-gram says after the words before it, in bits, counted over all references. 0 and up. Words come
// from mteval_words.
#pragma once

#include <span>

#include "metrics/segment.h"

namespace mixtune {

// Of a whole system, as the mteval-v13a of e2e-metrics gives it: the length penalty compares with
// all words of the references, divided by the mean number of references (empty ones do not count)
// of a segment. 0 where the references hold no word.
double nist(std::span<const WordSegment> segments);

// Of one segment, as e2e-metrics reports it: information from the references of that segment alone.
double segment_nist(const WordSegment& segment);

}  // namespace mixtune
