// CIDEr (Vedantam et al. 2015) as in coco-caption, the variant with clipping and a length penalty
// (CIDEr-D): the similarity of an output and its references as TF-IDF vectors of n-grams, where the
// document frequency counts segments. From 0 to 10. Words come from coco_words.
#pragma once

#include <span>
#include <vector>

#include "metrics/segment.h"

namespace mixtune {

// One score per segment; a system's score is their mean. A score depends on all segments: the
// weight of an n-gram is log(segments / segments whose references have it), so with a single
// segment all weights and scores are 0.
std::vector<double> cider(std::span<const WordSegment> segments);

}  // namespace mixtune
