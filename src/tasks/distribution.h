// How often each label occurs, and what a program that always says the commonest one would score:
// what any training has to beat, and what the preflight prints.
#pragma once

#include <cstdint>
#include <vector>

#include "tasks/task.h"

namespace mixtune {

// Examples per label id, [labels]; examples without a label are not counted.
std::vector<int64_t> label_counts(const DataSet& set, int64_t labels);

// The commonest label; of equally common ones the first. -1 where nothing is labelled.
int64_t majority_label(const DataSet& set);

// The accuracy on `evaluated` of always predicting the commonest label of `train`, over labelled
// examples. Nan where either has none.
double majority_accuracy(const DataSet& train, const DataSet& evaluated);

// The mean score of a regression set and the mean squared error of always predicting it. Nan when
// empty.
struct ScoreSummary {
  int64_t count = 0;
  double mean = 0, variance = 0, minimum = 0, maximum = 0;
};
ScoreSummary summarize_scores(const DataSet& set);

}  // namespace mixtune
