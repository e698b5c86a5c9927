#include "metrics/mteval_words.h"

#include <gtest/gtest.h>

namespace mixtune {
namespace {

TEST(MtevalWords, SeparatePunctuationButNotWithinNumbersOrWords) {
  EXPECT_EQ(mteval_words("It's kid-friendly, cheap (10.50)."),
            (Words{"it's", "kid-friendly", ",", "cheap", "(", "10.50", ")", "."}));
  EXPECT_EQ(mteval_words("1,000 and 5,x and x,5"),
            (Words{"1,000", "and", "5", ",", "x", "and", "x", ",", "5"}));
}

TEST(MtevalWords, SeparateADashOnlyAfterADigit) {
  EXPECT_EQ(mteval_words("\u00A320-25 non-kid"), (Words{"\u00A320", "-", "25", "non-kid"}));
}

// A matched pair consumes both characters: the second of two stops is separated by the next rule.
TEST(MtevalWords, SeparateEachOfSeveralStops) {
  EXPECT_EQ(mteval_words("wait... what.."), (Words{"wait", ".", ".", ".", "what", ".", "."}));
}

TEST(MtevalWords, LowercaseOnlyAscii) {
  EXPECT_EQ(mteval_words("CAF\u00C9 caf\u00E9"), (Words{"caf\u00C9", "caf\u00E9"}));
}

TEST(MtevalWords, ReadEntitiesAsCharacters) {
  EXPECT_EQ(mteval_words("A &amp; B &quot;c&quot; <skipped>"),
            (Words{"a", "&", "b", "\"", "c", "\""}));
}

TEST(MtevalWords, ANoBreakSpaceIsWhiteSpace) {
  EXPECT_EQ(mteval_words("a\u00A0b\tc"), (Words{"a", "b", "c"}));
}

TEST(MtevalWords, OfNothingAreNone) {
  EXPECT_TRUE(mteval_words("").empty());
  EXPECT_TRUE(mteval_words(" \t ").empty());
}

}  // namespace
}  // namespace mixtune
