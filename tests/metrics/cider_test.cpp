#include "metrics/cider.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mixtune {
namespace {

// A second segment, so that each n-gram of the first has the weight log 2.
const WordSegment kOther = {{"q"}, {{"r"}}};

double first_cider(const WordSegment& segment) {
  return cider(std::vector<WordSegment>{segment, kOther})[0];
}

// By hand: cosines 1 for words and pairs, 0 for longer n-grams that neither has: 10 * 2/4.
TEST(Cider, IsTheMeanOfTheCosinesOverLengths) {
  const std::vector<double> scores =
      cider(std::vector<WordSegment>{{{"a", "b"}, {{"a", "b"}}}, kOther});
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_NEAR(scores[0], 5, 1e-14);
  EXPECT_EQ(scores[1], 0);
}

// By hand: words 2 / sqrt(2 * 3), pairs 1 / sqrt(1 * 2); lengths differ by 1: exp(-1 / 72).
TEST(Cider, PenalizesADifferenceInLength) {
  EXPECT_NEAR(first_cider({{"a", "b"}, {{"a", "b", "c"}}}),
              10 * (2 / std::sqrt(6) + 1 / std::sqrt(2)) / 4 * std::exp(-1.0 / 72), 1e-14);
}

// By hand, words alone: counts (2) against (1), the product clipped to 1 * 1: 1 / (2 * 1). No pair
// matches. Lengths differ by 1.
TEST(Cider, ClipsRepeatedWords) {
  EXPECT_NEAR(first_cider({{"a", "a"}, {{"a"}}}), 10 * 0.5 / 4 * std::exp(-1.0 / 72), 1e-14);
}

TEST(Cider, IsTheMeanOverReferences) {
  EXPECT_NEAR(first_cider({{"a", "b"}, {{"a", "b"}, {"x", "y"}}}), 2.5, 1e-14);
}

// An n-gram that occurs in the references of every segment has the weight 0.
TEST(Cider, GivesNothingForNgramsOfEverySegment) {
  const std::vector<double> scores =
      cider(std::vector<WordSegment>{{{"a"}, {{"a"}}}, {{"a"}, {{"a"}}}});
  EXPECT_EQ(scores, (std::vector<double>{0, 0}));
  EXPECT_EQ(cider(std::vector<WordSegment>{{{"a"}, {{"a"}}}}), std::vector<double>{0});
}

TEST(Cider, OfEmptyTextsIsZero) {
  EXPECT_EQ(first_cider({{}, {{"a"}}}), 0);
  EXPECT_EQ(first_cider({{"a"}, {{}}}), 0);
  EXPECT_EQ(first_cider({{"a"}, {}}), 0);
  EXPECT_TRUE(cider(std::vector<WordSegment>{}).empty());
}

}  // namespace
}  // namespace mixtune
