// METEOR (Lavie and Agarwal 2007) with exact and stem matching, equal to nltk's meteor_score with
// an empty WordNet: the synonym stage requires WordNet and is not implemented. From 0 to 1.
#pragma once

#include "metrics/segment.h"

namespace mixtune {

// The best score over the references; words must be in lower case. A system's score is the mean
// over segments. 0 if nothing matches.
double meteor(const WordSegment& segment);

}  // namespace mixtune
