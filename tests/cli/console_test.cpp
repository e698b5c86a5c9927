#include "cli/console.h"

#include <gtest/gtest.h>

namespace mixtune {
namespace {

TEST(Console, CountsHaveThousandsSeparated) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(1234567), "1,234,567");
  EXPECT_EQ(count_text(-123456), "-123,456");
}

TEST(Console, BytesHaveASuitableUnit) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1500), "2 kB");
  EXPECT_EQ(bytes_text(90'868'376), "91 MB");
  EXPECT_EQ(bytes_text(1'440'000'000), "1.4 GB");
}

TEST(Console, DurationsAreMinutesAndSecondsThenHours) {
  EXPECT_EQ(duration_text(0), "0:00");
  EXPECT_EQ(duration_text(61), "1:01");
  EXPECT_EQ(duration_text(3725), "1:02:05");
  EXPECT_EQ(duration_text(-1), "-");
}

TEST(Console, BarsHaveTheGivenWidth) {
  EXPECT_EQ(bar_text(0, 3), "   ");
  EXPECT_EQ(bar_text(1, 3), "███");
  EXPECT_EQ(bar_text(0.5, 3), "█▌ ");
  EXPECT_EQ(bar_text(7, 2), "██");
}

TEST(ConsoleTable, AlignsColumnsByCharactersNotBytes) {
  ConsoleTable table({"run", "méthode", "n"});
  table.align_left(1);
  table.add({"a", "é", "1"});
  table.add({"long", "x", "1,000"});
  EXPECT_EQ(table.text(),
            "run   méthode      n\n"
            "────  ───────  ─────\n"
            "a     é            1\n"
            "long  x        1,000\n");
}

TEST(ConsoleTable, WithoutAHeaderHasNoRule) {
  ConsoleTable table({});
  table.align_left(1);
  table.add({"mixtune", "0.1"});
  table.add({"libtorch", "2.13"});
  EXPECT_EQ(table.text(), "mixtune   0.1\nlibtorch  2.13\n");
}

}  // namespace
}  // namespace mixtune
