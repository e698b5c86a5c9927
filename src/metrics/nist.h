// NIST with up to 5-grams (Doddington 2002): matches are weighted by the information of the last
// word of an n-gram given the words before it, in bits, from counts over all references. The range
// is 0 and up. Words come from mteval_words.
#pragma once

#include <span>

#include "metrics/segment.h"

namespace mixtune {

// The score of a whole system, as in the mteval-v13a of e2e-metrics: the length penalty compares
// with the number of words of all references, divided by the mean number of non-empty references
// per segment. 0 if the references contain no words.
double nist(std::span<const WordSegment> segments);

// The score of one segment, as e2e-metrics reports it: the information comes from the references of
// that segment only.
double segment_nist(const WordSegment& segment);

}  // namespace mixtune
