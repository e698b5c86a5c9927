// chrF (Popovic 2015) as sacrebleu has it by default: F with beta 2 of character n-grams of lengths
// 1 to 6, white space left out, case kept. From 0 to 100.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace molt {

struct TextSegment {
  std::string output;
  std::vector<std::string> references;
};

// Of a whole system: counts summed over segments, each against the reference that scores best.
double chrf(std::span<const TextSegment> segments);
double chrf(const TextSegment& segment);

}  // namespace molt
