#include "metrics/chrf.h"

#include <gtest/gtest.h>

namespace mixtune {
namespace {

double chrf_of(const std::string& output, std::vector<std::string> references) {
  return chrf(std::vector<TextSegment>{{output, std::move(references)}}).system;
}

// By hand: 2 of 2 characters and 1 of 1 pair match, of 3 and 2; the output has nothing longer.
// Precision 1, recall (2/3 + 1/2) / 2 = 7/12: 5 * 7/12 / (4 + 7/12) = 7/11.
TEST(Chrf, IsTheFMeasureOfMeanPrecisionAndRecall) {
  EXPECT_NEAR(chrf_of("ab", {"abc"}), 700.0 / 11, 1e-12);
}

// By hand: of "aab" and "aba" 3 characters match ("a" twice), one of two pairs ("ab"), no triple:
// precision and recall (1 + 1/2 + 0) / 3.
TEST(Chrf, ClipsRepeatedCharacters) {
  EXPECT_NEAR(chrf_of("aab", {"aba"}), 50, 1e-12);
}

TEST(Chrf, LeavesWhiteSpaceOutAndKeepsCase) {
  EXPECT_NEAR(chrf_of("a b\u00A0c", {"abc"}), 100, 1e-12);
  EXPECT_EQ(chrf_of("A", {"a"}), 0);
}

TEST(Chrf, CountsCharactersNotBytes) {
  EXPECT_NEAR(chrf_of("\u00E9\u00E8", {"\u00E9"}), chrf_of("ab", {"a"}), 1e-12);
}

TEST(Chrf, TakesTheBestReference) {
  EXPECT_NEAR(chrf_of("abc", {"xyz", "abc", "ab"}), 100, 1e-12);
}

// By hand: 1 of 1 and 0 of 1 characters match: 1 of 2 on either side.
TEST(Chrf, SumsCountsOverSegments) {
  const ChrfScores scores = chrf(std::vector<TextSegment>{{"a", {"a"}}, {"b", {"c"}}});
  EXPECT_NEAR(scores.system, 50, 1e-12);
  EXPECT_EQ(scores.segments, (std::vector<double>{100, 0}));
}

// As in sacrebleu, a segment without a reference does not affect the others.
TEST(Chrf, ExcludesSegmentsWithoutAReference) {
  const ChrfScores scores =
      chrf(std::vector<TextSegment>{{"abc", {"abc"}}, {"xyz", {}}, {"xyz", {""}}});
  EXPECT_NEAR(scores.system, 100, 1e-12);
  ASSERT_EQ(scores.segments.size(), 3u);
  EXPECT_EQ(scores.segments[1], 0);
  EXPECT_EQ(scores.segments[2], 0);
}

TEST(Chrf, OfEmptyTextsIsZero) {
  EXPECT_EQ(chrf_of("", {"a"}), 0);
  EXPECT_EQ(chrf_of("a", {""}), 0);
  EXPECT_EQ(chrf_of("", {""}), 0);
  EXPECT_EQ(chrf_of("a", {}), 0);
  EXPECT_EQ(chrf({}).system, 0);
}

}  // namespace
}  // namespace mixtune
