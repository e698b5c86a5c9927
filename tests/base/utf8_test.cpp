#include "base/utf8.h"

#include <gtest/gtest.h>

namespace mixtune {
namespace {

TEST(Utf8, AcceptsEveryLength) {
  EXPECT_EQ(first_invalid_utf8(""), std::nullopt);
  EXPECT_EQ(first_invalid_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"), std::nullopt);
  EXPECT_EQ(first_invalid_utf8("\xc2\x80\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"), std::nullopt);
}

TEST(Utf8, NamesTheFirstWrongByte) {
  EXPECT_EQ(first_invalid_utf8("ab\x80"), 2u);            // continuation alone
  EXPECT_EQ(first_invalid_utf8("\xc3"), 0u);              // cut off
  EXPECT_EQ(first_invalid_utf8("a\xe2\x82"), 1u);         // cut off
  EXPECT_EQ(first_invalid_utf8("\xc0\xaf"), 0u);          // overlong
  EXPECT_EQ(first_invalid_utf8("\xe0\x80\xaf"), 0u);      // overlong
  EXPECT_EQ(first_invalid_utf8("\xf0\x80\x80\xaf"), 0u);  // overlong
  EXPECT_EQ(first_invalid_utf8("\xed\xa0\x80"), 0u);      // surrogate
  EXPECT_EQ(first_invalid_utf8("\xf4\x90\x80\x80"), 0u);  // past U+10FFFF
  EXPECT_EQ(first_invalid_utf8("\xe2\x28\xa1"), 0u);
  EXPECT_EQ(first_invalid_utf8("\xff"), 0u);
}

}  // namespace
}  // namespace mixtune
