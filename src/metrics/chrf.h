// chrF (Popovic 2015) with sacrebleu's defaults: F score with beta 2 of character n-grams of
// lengths 1 to 6, without white space, case-sensitive. From 0 to 100.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace mixtune {

struct TextSegment {
  std::string output;
  std::vector<std::string> references;
};

struct ChrfScores {
  double system = 0;  // from counts summed over segments, each against its best reference
  std::vector<double> segments;
};
ChrfScores chrf(std::span<const TextSegment> segments);

}  // namespace mixtune
