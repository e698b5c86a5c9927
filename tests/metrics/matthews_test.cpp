#include "metrics/matthews.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace mixtune {
namespace {

using Ids = std::vector<int64_t>;

// By hand: TP 2, TN 3, FP 1, FN 2: (2 * 3 - 1 * 2) / sqrt(3 * 4 * 4 * 5) = 4 / sqrt(240).
TEST(Matthews, OfTwoClassesEqualsTheFourCountFormula) {
  EXPECT_NEAR(matthews(Ids{1, 1, 1, 1, 0, 0, 0, 0}, Ids{1, 1, 0, 0, 0, 0, 0, 1}),
              4 / std::sqrt(240.0), 1e-15);
}

// By hand: n 3, 2 right; labels 1, 1, 1 of each class; predictions 1, 2, 0:
// (2 * 3 - (1 + 2)) / sqrt((9 - 3) (9 - 5)) = 3 / sqrt(24).
TEST(Matthews, OfThreeClassesEqualsTheFormulaByHand) {
  EXPECT_NEAR(matthews(Ids{0, 1, 2}, Ids{0, 1, 1}), 3 / std::sqrt(24.0), 1e-15);
}

TEST(Matthews, IsOneWhenRightAndMinusOneWhenInverted) {
  EXPECT_DOUBLE_EQ(matthews(Ids{0, 1, 1, 0, 1}, Ids{0, 1, 1, 0, 1}), 1);
  EXPECT_DOUBLE_EQ(matthews(Ids{0, 1, 1, 0}, Ids{1, 0, 0, 1}), -1);
}

TEST(Matthews, OfASingleClassIsZeroEvenIfAllIsRight) {
  EXPECT_EQ(matthews(Ids{1, 1, 1}, Ids{1, 1, 1}), 0);
  EXPECT_EQ(matthews(Ids{0, 1, 1}, Ids{1, 1, 1}), 0);
}

TEST(Matthews, DoesNotDependOnTheNamesOfClasses) {
  EXPECT_DOUBLE_EQ(matthews(Ids{0, 1, 2, 2}, Ids{0, 2, 2, 2}),
                   matthews(Ids{7, -3, 5, 5}, Ids{7, 5, 5, 5}));
}

TEST(Matthews, OfNothingIsNan) {
  EXPECT_TRUE(std::isnan(matthews(Ids{}, Ids{})));
}

}  // namespace
}  // namespace mixtune
