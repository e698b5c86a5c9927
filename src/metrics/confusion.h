// Counts of labels against predictions, from which Matthews' correlation and F1 are computed.
// Classes are the integers that occur in either vector.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mixtune {

// One class: how often it is the label (`labeled`), the prediction (`predicted`), and both
// (`hits`).
struct ClassCount {
  int64_t id = 0, labeled = 0, predicted = 0, hits = 0;
};

struct Confusion {
  std::vector<ClassCount> classes;  // sorted by id; only classes that occur
  int64_t examples = 0;
  int64_t correct = 0;
};

// Throws BugError if the lengths differ.
Confusion confusion(std::span<const int64_t> labels, std::span<const int64_t> predictions);

}  // namespace mixtune
