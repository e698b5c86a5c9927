// What the metrics of text generation compare: one output with the references for the same input,
// as words. How a text becomes words belongs to the metric: see mteval_words.h and coco_words.h.
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
