// chrF (Popovic 2015) as sacrebleu has it by default: F with beta 2 of character n-grams of lengths
// 1 to 6, white space left out, case kept. From 0 to 100.
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
  double system = 0;  // of counts summed over segments, each against the reference that scores best
  std::vector<double> segments;
};
ChrfScores chrf(std::span<const TextSegment> segments);

}  // namespace mixtune
