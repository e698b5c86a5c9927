#include "metrics/f1.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace mixtune {
namespace {

using Ids = std::vector<int64_t>;

// By hand: class 1 has TP 2, FP 1, FN 2: precision 2/3, recall 2/4, F1 4/7.
TEST(F1, OfClassOneEqualsTheCountsByHand) {
  const ClassScores scores = class_scores(Ids{1, 1, 1, 1, 0, 0}, Ids{1, 1, 0, 0, 1, 0});
  EXPECT_NEAR(scores.precision, 2.0 / 3, 1e-15);
  EXPECT_NEAR(scores.recall, 0.5, 1e-15);
  EXPECT_NEAR(scores.f1, 4.0 / 7, 1e-15);
}

TEST(F1, OfAClassThatNeverOccursIsZero) {
  const ClassScores scores = class_scores(Ids{0, 0}, Ids{0, 0});
  EXPECT_EQ(scores.precision, 0);
  EXPECT_EQ(scores.recall, 0);
  EXPECT_EQ(scores.f1, 0);
}

// By hand: F1 = 2 TP / (labeled + predicted). Class 0: 2 / (2 + 1), class 1: 2 / (1 + 3), class 2:
// 0. Support 2, 1, 1; 2 of 4 correct.
TEST(F1, AveragesOverClassesByHand) {
  const AveragedF1 averages = averaged_f1(Ids{0, 0, 1, 2}, Ids{0, 1, 1, 1});
  EXPECT_NEAR(averages.macro, (2.0 / 3 + 0.5 + 0) / 3, 1e-15);
  EXPECT_NEAR(averages.weighted, (2 * 2.0 / 3 + 0.5 + 0) / 4, 1e-15);
  EXPECT_NEAR(averages.micro, 0.5, 1e-15);
}

TEST(F1, AveragesCountAClassThatIsOnlyPredicted) {
  // Class 1 is never a label but was predicted: its F1 of 0 is part of the macro average.
  EXPECT_NEAR(averaged_f1(Ids{0, 0}, Ids{0, 1}).macro, (2.0 / 3 + 0) / 2, 1e-15);
}

TEST(F1, AveragesOverNothingAreNan) {
  const AveragedF1 averages = averaged_f1(Ids{}, Ids{});
  EXPECT_TRUE(std::isnan(averages.macro) && std::isnan(averages.micro) &&
              std::isnan(averages.weighted));
}

}  // namespace
}  // namespace mixtune
