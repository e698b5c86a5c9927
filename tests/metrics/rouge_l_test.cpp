#include "metrics/rouge_l.h"

#include <gtest/gtest.h>

namespace mixtune {
namespace {

// By hand: the longest common subsequence has 3 words: precision 3/3, recall 3/4.
TEST(RougeL, IsTheFMeasureOfTheLongestCommonSubsequence) {
  EXPECT_NEAR(rouge_l({{"a", "b", "c"}, {{"a", "x", "b", "c"}}}), 2.44 * 0.75 / (0.75 + 1.44),
              1e-15);
}

// By hand: "a" gives precision 1/4 and recall 1, the long one precision 3/4 and recall 1/2; the
// best of each is used.
TEST(RougeL, TakesPrecisionAndRecallFromDifferentReferences) {
  EXPECT_NEAR(rouge_l({{"a", "b", "c", "d"}, {{"a"}, {"a", "b", "c", "x", "y", "z"}}}),
              2.44 * 0.75 / (1 + 1.44 * 0.75), 1e-15);
}

TEST(RougeL, NeedsTheSameOrder) {
  EXPECT_NEAR(rouge_l({{"b", "a"}, {{"a", "b"}}}), 0.5, 1e-15);  // precision and recall 1/2
}

TEST(RougeL, OfOneWordIsOneOrZero) {
  EXPECT_NEAR(rouge_l({{"a"}, {{"a"}}}), 1, 1e-15);
  EXPECT_EQ(rouge_l({{"a"}, {{"b"}}}), 0);
}

TEST(RougeL, OfEmptyTextsIsZero) {
  EXPECT_EQ(rouge_l({{}, {{"a"}}}), 0);
  EXPECT_EQ(rouge_l({{"a"}, {{}}}), 0);
  EXPECT_EQ(rouge_l({{"a"}, {}}), 0);
  EXPECT_NEAR(rouge_l({{"a"}, {{}, {"a"}}}), 1, 1e-15);
}

}  // namespace
}  // namespace mixtune
