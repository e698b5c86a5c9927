#include "tasks/distribution.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace mixtune {
namespace {

DataSet with_labels(const std::vector<int64_t>& labels) {
  DataSet set;
  for (const int64_t label : labels) set.examples.push_back({.label = label});
  return set;
}

TEST(Distribution, CountsEachLabelAndIgnoresUnknownOnes) {
  EXPECT_EQ(label_counts(with_labels({0, 2, 2, -1}), 4), (std::vector<int64_t>{1, 0, 2, 0}));
}

TEST(Distribution, ALabelOutOfRangeIsABug) {
  EXPECT_THROW(label_counts(with_labels({3}), 2), BugError);
}

TEST(Distribution, TheMajorityComesFromTrainingAndIsScoredOnTheOtherSet) {
  EXPECT_EQ(majority_label(with_labels({1, 0, 1})), 1);
  EXPECT_DOUBLE_EQ(majority_accuracy(with_labels({1, 0, 1}), with_labels({0, 0, 1, 0, -1})), 0.25);
}

TEST(Distribution, OfEquallyCommonLabelsTheFirstIsTheMajority) {
  EXPECT_EQ(majority_label(with_labels({2, 1, 1, 2})), 1);
}

TEST(Distribution, WithoutLabelsThereIsNoMajority) {
  EXPECT_EQ(majority_label(with_labels({-1})), -1);
  EXPECT_TRUE(std::isnan(majority_accuracy(with_labels({}), with_labels({0}))));
}

TEST(Distribution, ScoresHaveMeanVarianceAndRange) {
  DataSet set;
  for (const double score : {1.0, 2.0, 6.0}) set.examples.push_back({.score = score});
  set.examples.emplace_back();
  const ScoreSummary summary = summarize_scores(set);
  EXPECT_EQ(summary.count, 3);
  EXPECT_DOUBLE_EQ(summary.mean, 3);
  EXPECT_DOUBLE_EQ(summary.variance, 14.0 / 3);
  EXPECT_EQ(summary.minimum, 1);
  EXPECT_EQ(summary.maximum, 6);
}

}  // namespace
}  // namespace mixtune
