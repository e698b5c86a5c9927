// Pearson, Spearman and the mean squared error: the metrics of scores.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "metrics/mean_squared_error.h"
#include "metrics/pearson.h"
#include "metrics/spearman.h"

namespace mixtune {
namespace {

using Values = std::vector<double>;
const double kNan = std::numeric_limits<double>::quiet_NaN();

// By hand: deviations (-1, 0, 1) and (-2/3, -2/3, 4/3): 2 / sqrt(2 * 24/9).
TEST(Pearson, EqualsTheFormulaByHand) {
  EXPECT_NEAR(pearson(Values{1, 2, 3}, Values{1, 1, 3}), 2 / std::sqrt(48.0 / 9), 1e-15);
}

TEST(Pearson, IsUnchangedByShiftAndScale) {
  const Values x{1, 4, 2, 8}, y{3, 1, 4, 1}, scaled{1001, 1004, 1002, 1008};
  EXPECT_NEAR(pearson(x, y), pearson(scaled, y), 1e-12);
}

TEST(Pearson, NeverLeavesMinusOneToOne) {
  const Values x{0.1, 0.2, 0.3, 0.7}, y{0.3, 0.6, 0.9, 2.1};
  EXPECT_LE(pearson(x, y), 1);
  EXPECT_NEAR(pearson(x, y), 1, 1e-15);
}

TEST(Pearson, OfConstantOrTooFewValuesIsNan) {
  EXPECT_TRUE(std::isnan(pearson(Values{2, 2, 2}, Values{1, 2, 3})));
  EXPECT_TRUE(std::isnan(pearson(Values{1}, Values{1})));
  EXPECT_TRUE(std::isnan(pearson(Values{}, Values{})));
  EXPECT_TRUE(std::isnan(pearson(Values{1, kNan, 2}, Values{1, 2, 3})));
}

TEST(Spearman, RanksShareTheMeanWhereValuesAreEqual) {
  EXPECT_EQ(average_ranks(Values{10, 30, 10, 20, 10}), (Values{2, 5, 2, 4, 2}));
}

// By hand, without ties: 1 - 6 sum d^2 / (n (n^2 - 1)) with d = (0, 1, -1, 0): 1 - 12 / 60.
TEST(Spearman, EqualsTheFormulaByHand) {
  EXPECT_NEAR(spearman(Values{1, 2, 3, 4}, Values{10, 30, 20, 1000}), 0.8, 1e-15);
}

TEST(Spearman, IsNanWhereARankIsMissing) {
  EXPECT_TRUE(std::isnan(spearman(Values{1, kNan, 2}, Values{1, 2, 3})));
  EXPECT_TRUE(std::isnan(spearman(Values{1, 1}, Values{1, 2})));
}

TEST(MeanSquaredError, IsTheMeanOfSquaredDifferences) {
  EXPECT_DOUBLE_EQ(mean_squared_error(Values{1, 2, 4}, Values{1, 0, 3}), 5.0 / 3);
  EXPECT_TRUE(std::isnan(mean_squared_error(Values{}, Values{})));
}

}  // namespace
}  // namespace mixtune
