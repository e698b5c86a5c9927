// The output of Stanford's PTBTokenizer 3.4.1 without the punctuation that coco-caption removes.
#include "metrics/coco_words.h"

#include <gtest/gtest.h>

#include <string>

namespace mixtune {
namespace {

std::string joined(std::string_view text) {
  std::string out;
  for (const std::string& word : coco_words(text)) out += (out.empty() ? "" : " ") + word;
  return out;
}

TEST(CocoWords, ExcludePunctuation) {
  EXPECT_EQ(joined("Hello, world: fine - good; bad -- yes... 'ok' \"so\"."),
            "hello world fine good bad yes ok so");
}

TEST(CocoWords, AreThoseOfThePennTreebank) {
  EXPECT_EQ(joined("Don't, can't, it's, they're I'm we've he'd she'll"),
            "do n't ca n't it 's they 're i 'm we 've he 'd she 'll");
  EXPECT_EQ(joined("cannot gonna 'twas o'clock d'oeuvre Joe's"),
            "can not gon na 't was o'clock d'oeuvre joe 's");
  EXPECT_EQ(joined("it\u2019s don\u2019t \u2018so\u2019"), "it 's do n't so");
}

TEST(CocoWords, WritePoundsAsTheTreebankDoes) {
  EXPECT_EQ(joined("\u00A320-25 \u00A320-\u00A325 of\u00A320-\u00A330. 20\u00A3-25"),
            "# 20-25 # 20 # 25 of # 20 # 30 20 # -25");
}

TEST(CocoWords, KeepNumbersAndHyphenatedWordsWhole) {
  EXPECT_EQ(joined("10.50 1,000 1/2 3:30 20-25 5-star 5/5 20--25"),
            "10.50 1,000 1/2 3:30 20-25 5-star 5/5 20 25");
  EXPECT_EQ(joined("non-family-friendly family- friendly -rated and/or"),
            "non-family-friendly family friendly rated and/or");
  EXPECT_EQ(joined("25.Yes Rouge.6 Phoenix,has 5% 20s"), "25 yes rouge .6 phoenix has 5 % 20s");
}

TEST(CocoWords, KeepTheStopOfAbbreviations) {
  EXPECT_EQ(joined("St. John's at 5 p.m. in the U.S. etc. center.,"),
            "st. john 's at 5 p.m. in the u.s. etc. center.");
}

TEST(CocoWords, KeepWhatIsNotInTheListOfPunctuation) {
  EXPECT_EQ(joined("no!! (why?!) [x] $5 & more"),
            "no !! -lrb- why ?! -rrb- -lsb- x -rsb- $ 5 & more");
}

TEST(CocoWords, KeepAddressesWhole) {
  EXPECT_EQ(joined("see http://www.example.com/a?b=c, me@x.com."),
            "see http://www.example.com/a?b=c me@x.com");
}

TEST(CocoWords, OfNothingAreNone) {
  EXPECT_TRUE(coco_words("").empty());
  EXPECT_TRUE(coco_words(" . , ").empty());
  EXPECT_EQ(joined("'"), "");
  EXPECT_EQ(joined("caf\u00E9 \u00A3"), "caf\u00E9 #");
}

}  // namespace
}  // namespace mixtune
