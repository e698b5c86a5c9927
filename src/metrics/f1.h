// F1, precision and recall: for one class (GLUE's MRPC and QQP report class 1), and averaged over
// classes. Every class that occurs in labels or predictions is included in the averages. A division
// 0 / 0 gives 0, as in scikit-learn; averages over no examples are NaN.
#pragma once

#include <cstdint>
#include <span>

namespace mixtune {

struct ClassScores {
  double precision = 0, recall = 0, f1 = 0;
};

// The scores of class `positive` against all others.
ClassScores class_scores(std::span<const int64_t> labels, std::span<const int64_t> predictions,
                         int64_t positive = 1);

struct AveragedF1 {
  double macro = 0;  // the mean over classes
  double micro =
      0;  // from counts summed over classes; equals the accuracy with one label per example
  double weighted = 0;  // the mean over classes, each weighted by its number of labels
};

AveragedF1 averaged_f1(std::span<const int64_t> labels, std::span<const int64_t> predictions);

}  // namespace mixtune
