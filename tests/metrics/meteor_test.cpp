#include "metrics/meteor.h"

#include <gtest/gtest.h>

namespace mixtune {
namespace {

// By hand: one word matches exactly, two by their stems; one run of three: 1 - 0.5 (1/3)^3.
TEST(Meteor, MatchesWordsThenStems) {
  EXPECT_NEAR(meteor({{"the", "cats", "sit"}, {{"the", "cat", "sits"}}}), 1 - 0.5 / 27, 1e-15);
}

// By hand: both words match, in two runs of one.
TEST(Meteor, HalvesTheScoreOfReversedWords) {
  EXPECT_NEAR(meteor({{"b", "a"}, {{"a", "b"}}}), 0.5, 1e-15);
}

// By hand: precision 2/2, recall 2/4: (1/2) / (0.9 + 0.1 / 2); one run of two: 1 - 0.5 (1/2)^3.
TEST(Meteor, WeighsRecallNineTimesAsMuch) {
  EXPECT_NEAR(meteor({{"a", "b"}, {{"a", "b", "c", "d"}}}), (1 - 0.0625) * 0.5 / 0.95, 1e-15);
}

// Words are matched before stems: "cats" with the last "cats" of the reference, "cat" with "cat".
// Two runs of one word, out of order: half.
TEST(Meteor, MatchesEqualWordsBeforeEqualStems) {
  EXPECT_NEAR(meteor({{"cats", "cat"}, {{"cat", "cats"}}}), 0.5, 1e-15);
}

// From the end, each word is matched with the last free one: a-2 (position 2), then a-1: in order,
// one run.
TEST(Meteor, MatchesRepeatedWordsFromTheEnd) {
  EXPECT_NEAR(meteor({{"a", "a"}, {{"x", "a", "a"}}}),
              (1 - 0.0625) * (2.0 / 3) / (0.9 + 0.1 * 2 / 3), 1e-15);
}

TEST(Meteor, TakesTheBestReference) {
  EXPECT_EQ(meteor({{"a", "b"}, {{"x"}, {"a", "b"}}}), meteor({{"a", "b"}, {{"a", "b"}}}));
}

TEST(Meteor, OfOneWordIsAHalfOrZero) {
  EXPECT_NEAR(meteor({{"a"}, {{"a"}}}), 0.5, 1e-15);  // one run of one word
  EXPECT_EQ(meteor({{"a"}, {{"b"}}}), 0);
}

TEST(Meteor, OfEmptyTextsIsZero) {
  EXPECT_EQ(meteor({{}, {{"a"}}}), 0);
  EXPECT_EQ(meteor({{"a"}, {{}}}), 0);
  EXPECT_EQ(meteor({{"a"}, {}}), 0);
}

}  // namespace
}  // namespace mixtune
