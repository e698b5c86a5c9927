// Label counts, and the score of always predicting the most common label: the baseline that
// training has to beat, which the preflight prints.
#pragma once

#include <cstdint>
#include <vector>

#include "tasks/task.h"

namespace mixtune {

// Examples per label id, [labels]; examples without a label are not counted.
std::vector<int64_t> label_counts(const DataSet& set, int64_t labels);

// The most common label; the first of equally common ones. -1 if no example is labeled.
int64_t majority_label(const DataSet& set);

// The accuracy on `evaluated` of always predicting the most common label of `train`, over labeled
// examples. NaN if either set has no labeled example.
double majority_accuracy(const DataSet& train, const DataSet& evaluated);

// The mean score of a regression set and the mean squared error of always predicting it. NaN if the
// set is empty.
struct ScoreSummary {
  int64_t count = 0;
  double mean = 0, variance = 0, minimum = 0, maximum = 0;
};
ScoreSummary summarize_scores(const DataSet& set);

}  // namespace mixtune
