#include "metrics/nist.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mixtune {
namespace {

double nist_of(const Words& output, std::vector<Words> references) {
  return nist(std::vector<WordSegment>{{output, std::move(references)}});
}

// By hand: each of two words has log2(2/1) = 1 bit, the second after the first log2(1/1) = 0.
TEST(Nist, WeighsMatchesByInformation) {
  EXPECT_NEAR(nist_of({"a", "b"}, {{"a", "b"}}), (1 + 1) / 2.0 + 0, 1e-15);
}

// By hand: of three words a occurs twice. a: log2(3/2), b: log2(3/1), b after a: log2(2/1) = 1. Two
// words for three are penalized by 1/2.
TEST(Nist, HalvesOutputsOfTwoThirdsOfTheLength) {
  EXPECT_NEAR(nist_of({"a", "b"}, {{"a", "a", "b"}}),
              0.5 * ((std::log2(1.5) + std::log2(3)) / 2 + 1), 1e-14);
}

// By hand: 8 words in 3 references of 2 segments: mean length 8 / (3/2). a and b: log2(8/2) = 2, b
// after a: 0; c: log2(8/1) = 3. 3 words in outputs.
TEST(Nist, TakesTheMeanLengthFromTheMeanNumberOfReferences) {
  const std::vector<WordSegment> segments = {{{"a", "b"}, {{"a", "b"}, {"a", "b"}}},
                                             {{"c"}, {{"c", "d", "e", "f"}}}};
  const double share = 3 / (8 / 1.5);
  const double penalty = std::exp(std::log(0.5) * std::pow(std::log(share) / std::log(1.5), 2));
  EXPECT_NEAR(nist(segments), penalty * (2 + 2 + 3) / 3, 1e-14);
  std::vector<WordSegment> padded = segments;
  padded[1].references.emplace_back();
  EXPECT_EQ(nist(padded), nist(segments)) << "an empty reference must not count";
}

TEST(Nist, DoesNotPenalizeLongOutputs) {
  EXPECT_NEAR(nist_of({"a", "b", "x", "y"}, {{"a", "b"}}), (1 + 1) / 4.0, 1e-15);
}

// The scorer is a Perl program: after the word 0 it uses log2(2/1) instead of log2(1/1).
TEST(Nist, WeighsAWordAfterZeroAsTheScorerDoes) {
  EXPECT_NEAR(nist_of({"0", "x"}, {{"0", "x"}}), (1 + 1) / 2.0 + 1, 1e-15);
  EXPECT_NEAR(segment_nist({{"0", "x"}, {{"0", "x"}}}), 1, 1e-15);
}

TEST(Nist, OfASegmentUsesOnlyItsReferences) {
  EXPECT_NEAR(segment_nist({{"a", "b"}, {{"a", "b"}}}), 1, 1e-15);
}

TEST(Nist, OfEmptyTextsIsZero) {
  EXPECT_EQ(nist_of({}, {{"a"}}), 0);
  EXPECT_EQ(nist_of({"a"}, {{}}), 0);
  EXPECT_EQ(nist_of({"a"}, {}), 0);
  EXPECT_EQ(nist(std::vector<WordSegment>{}), 0);
  EXPECT_EQ(segment_nist({{}, {{"a", "b"}}}), 0);
}

TEST(Nist, OfOneWordIsItsInformation) {
  EXPECT_NEAR(nist_of({"a"}, {{"a"}}), 0, 1e-15);  // the only word has no information
}

}  // namespace
}  // namespace mixtune
