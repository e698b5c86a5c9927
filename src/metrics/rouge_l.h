// ROUGE-L as in coco-caption: F score with beta 1.2 of the longest common subsequence of words,
// where precision and recall are each the best over the references (Lin 2004 takes them from the
// same one). From 0 to 1. Words come from coco_words.
#pragma once

#include "metrics/segment.h"

namespace mixtune {

// 0 if the output or all references are empty. A system's score is the mean over segments.
double rouge_l(const WordSegment& segment);

}  // namespace mixtune
