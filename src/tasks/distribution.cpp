#include "tasks/distribution.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "base/error.h"

namespace mixtune {

std::vector<int64_t> label_counts(const DataSet& set, int64_t labels) {
  std::vector<int64_t> counts(static_cast<size_t>(labels));
  for (const Example& example : set.examples) {
    if (example.label < 0) continue;
    MIXTUNE_CHECK(example.label < labels, "label " + std::to_string(example.label) + " of " +
                                              std::to_string(labels) + " in " + set.source);
    ++counts[static_cast<size_t>(example.label)];
  }
  return counts;
}

int64_t majority_label(const DataSet& set) {
  std::map<int64_t, int64_t> counts;
  for (const Example& example : set.examples)
    if (example.label >= 0) ++counts[example.label];
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? -1 : most->first;
}

double majority_accuracy(const DataSet& train, const DataSet& evaluated) {
  const int64_t majority = majority_label(train);
  int64_t labeled = 0, right = 0;
  for (const Example& example : evaluated.examples) {
    labeled += example.label >= 0;
    right += example.label >= 0 && example.label == majority;
  }
  if (majority < 0 || labeled == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(right) / static_cast<double>(labeled);
}

ScoreSummary summarize_scores(const DataSet& set) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> scores;
  for (const Example& example : set.examples)
    if (!std::isnan(example.score)) scores.push_back(example.score);
  if (scores.empty())
    return {.count = 0, .mean = nan, .variance = nan, .minimum = nan, .maximum = nan};
  ScoreSummary out{.count = static_cast<int64_t>(scores.size())};
  for (const double score : scores) out.mean += score / static_cast<double>(scores.size());
  for (const double score : scores)
    out.variance += (score - out.mean) * (score - out.mean) / static_cast<double>(scores.size());
  out.minimum = *std::min_element(scores.begin(), scores.end());
  out.maximum = *std::max_element(scores.begin(), scores.end());
  return out;
}

}  // namespace mixtune
