// CIDEr (Vedantam et al. 2015) as coco-caption has it, the variant with clipping and a length
// penalty (CIDEr-D): how alike an output and its references are as vectors of n-grams weighted by
// how few segments have them in their references. From 0 to 10. Words come from coco_words.
#pragma once

#include <span>
#include <vector>

#include "metrics/segment.h"

namespace mixtune {

// One score for each segment; a system's is their mean. A score depends on all segments: the weight
// of an n-gram is log(segments / segments whose references have it), so with a single segment all
// weights and scores are 0.
std::vector<double> cider(std::span<const WordSegment> segments);

}  // namespace mixtune
