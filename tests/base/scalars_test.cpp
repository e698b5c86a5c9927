#include "base/scalars.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace mixtune {
namespace {

TEST(ParseInteger, AcceptsWholeNumbersOnly) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("+12"), 12);
  EXPECT_EQ(parse_integer("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  for (const char* text :
       {"", "+", "-", "+-1", "1.0", "1e3", "0x10", "1_000", " 1", "1 ", "9223372036854775808"})
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
}

TEST(ParseNumber, AcceptsEverySpellingOfADouble) {
  EXPECT_EQ(parse_number("16"), 16.0);
  EXPECT_EQ(parse_number("1e3"), 1000.0);
  EXPECT_EQ(parse_number("5e-4"), 5e-4);
  EXPECT_EQ(parse_number("+.5"), 0.5);
  EXPECT_EQ(parse_number("5."), 5.0);
  EXPECT_EQ(parse_number("-.inf"), -std::numeric_limits<double>::infinity());
  for (const char* text :
       {"", "+", "+-1", "-", ".", "e5", "inf", "nan", ".nan", "0x10", "1e", "1e999", "1,5", "1 2"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
}

TEST(PrintNumber, IsReadBackExactly) {
  for (double value :
       {0.1, 1.0 / 3, 1e22, 123456789.0, 5e-324, -0.0, 1.7976931348623157e308, HUGE_VAL}) {
    const auto again = parse_number(print_number(value));
    ASSERT_TRUE(again.has_value()) << value;
    EXPECT_EQ(*again, value);
    EXPECT_EQ(std::signbit(*again), std::signbit(value));
  }
  EXPECT_EQ(print_number(16), "16");
  EXPECT_EQ(print_number(5e-4), "0.0005");
}

TEST(PrintText, QuotesOnlyWhatCouldBeReadAsSomethingElse) {
  for (const char* text : {"query", "runs/a-b_c.yaml", "/tmp/x", "./x", "1a", "a@b"})
    EXPECT_EQ(print_text(text), text);
  for (const char* text :
       {"", "null", "~", "Yes", "off", "8", "1e3", ".inf", "-x", "a b", "a:b", "#", "..."})
    EXPECT_EQ(print_text(text), '"' + std::string(text) + '"');
  EXPECT_EQ(print_text("a\"\\\n\x01"), "\"a\\\"\\\\\\n\\x01\"");
}

}  // namespace
}  // namespace mixtune
