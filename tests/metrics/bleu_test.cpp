#include "metrics/bleu.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mixtune {
namespace {

double bleu_of(const Words& output, std::vector<Words> references) {
  return bleu(bleu_counts({output, std::move(references)}));
}

// By hand: 4 of 5 words, 3 of 4 pairs, 2 of 3 and 1 of 2 match; the product is 1/5.
TEST(Bleu, IsTheGeometricMeanOfThePrecisions) {
  EXPECT_NEAR(bleu_of({"a", "b", "c", "d", "e"}, {{"a", "b", "c", "d", "f"}}), std::pow(0.2, 0.25),
              1e-15);
}

TEST(Bleu, PenalizesShortOutputs) {
  EXPECT_NEAR(bleu_of({"a", "b", "c", "d"}, {{"a", "b", "c", "d", "e"}}), std::exp(1 - 5.0 / 4),
              1e-15);
}

// Lengths 3 and 5 are equally close to 4: the shorter one is used, and nothing is penalized.
TEST(Bleu, ComparesWithTheClosestLengthAndTheShorterOfTwo) {
  EXPECT_NEAR(bleu_of({"a", "b", "c", "d"}, {{"a", "b", "c", "d", "e"}, {"x", "y", "z"}}), 1,
              1e-15);
}

// "a" occurs twice in one reference and once in the other, never three times: 2 of 3 words. "a a"
// is in none: 1/2 of two pairs; "a a a" neither: 1/4 of one.
TEST(Bleu, ClipsToTheLargestCountInOneReference) {
  EXPECT_NEAR(bleu_of({"a", "a", "a"}, {{"a", "b", "a"}, {"a", "c", "d"}}),
              std::pow(2.0 / 3 / 4 / 4, 0.25), 1e-15);
}

// 1/2 for the words, 1/(2 * 1) for the pair.
TEST(Bleu, HalvesForEachPrecisionWithoutAMatch) {
  EXPECT_NEAR(bleu_of({"a", "x"}, {{"a", "b"}}), std::pow(0.25, 0.25), 1e-15);
  // 1/4 for the words; 1/(2 * 3), 1/(4 * 2), 1/(8 * 1).
  EXPECT_NEAR(bleu_of({"a", "x", "y", "z"}, {{"a", "b", "c", "d"}}),
              std::pow(1.0 / 4 / 6 / 8 / 8, 0.25), 1e-15);
}

TEST(Bleu, SumsCountsOverSegments) {
  const std::vector<WordSegment> segments = {{{"a", "b"}, {{"a", "b"}}}, {{"c"}, {{"d", "e"}}}};
  // 2 of 3 words, 1 of 1 pair; 3 words for 4.
  EXPECT_NEAR(bleu(segments), std::pow(2.0 / 3, 0.25) * std::exp(1 - 4.0 / 3), 1e-15);
}

TEST(Bleu, OfOneWordIsOneOrSmoothed) {
  EXPECT_NEAR(bleu_of({"a"}, {{"a"}}), 1, 1e-15);
  EXPECT_NEAR(bleu_of({"a"}, {{"b"}}), std::pow(0.5, 0.25), 1e-15);
}

TEST(Bleu, OfEmptyTextsIsZero) {
  EXPECT_EQ(bleu_of({}, {{"a"}}), 0);
  EXPECT_EQ(bleu_of({}, {{}}), 0);
  EXPECT_EQ(bleu_of({}, {}), 0);
  EXPECT_EQ(bleu(std::vector<WordSegment>{}), 0);
  EXPECT_LT(bleu_of({"a", "b"}, {{}}), 1);
}

// An empty reference next to others is ignored, as in the scorer, which pads with them.
TEST(Bleu, IgnoresEmptyReferencesNextToOthers) {
  EXPECT_NEAR(bleu_of({"a"}, {{}, {"a", "b", "c"}}), std::exp(1 - 3.0), 1e-15);
}

TEST(Bleu, OfASegmentIsNotSmoothedByDefault) {
  const BleuCounts counts = bleu_counts({{"a", "b", "c", "d", "e"}, {{"a", "b", "c", "d", "f"}}});
  EXPECT_NEAR(segment_bleu(counts), std::pow(0.2, 0.25), 1e-15);
  EXPECT_NEAR(segment_bleu(counts, 1), std::pow(1.0 / 3, 0.25), 1e-15);  // 5/6 4/5 3/4 2/3
  EXPECT_LT(segment_bleu(bleu_counts({{"a", "x", "y", "z"}, {{"a", "b", "c", "d"}}})), 1e-8);
  EXPECT_EQ(segment_bleu(bleu_counts({{}, {{"a"}}}), 1), 0);
}

}  // namespace
}  // namespace mixtune
