// The unit that text-generation metrics compare: one output and the references for the same input,
// as words. Tokenization depends on the metric: see mteval_words.h and coco_words.h.
#pragma once

#include <string>
#include <vector>

namespace mixtune {

using Words = std::vector<std::string>;

struct WordSegment {
  Words output;
  std::vector<Words> references;
};

}  // namespace mixtune
