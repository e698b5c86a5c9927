// METEOR (Lavie and Agarwal 2007) with exact and stem matching, equal to nltk's meteor_score with a
// WordNet that knows no synonyms: the synonym stage needs WordNet and is not covered. From 0 to 1.
#pragma once

#include "metrics/segment.h"

namespace mixtune {

// The best score over the references; words in lower case. A system's score is the mean over
// segments. 0 where nothing matches.
double meteor(const WordSegment& segment);

}  // namespace mixtune
