// The fields of a config as flags of a command.
#include "cli/field_flags.h"

#include <gtest/gtest.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>

#include "base/error.h"

namespace mixtune::test {
namespace {

struct Some final : Config {
  int64_t how_many = 2;
  double share = 0.5;
  bool loud = false;
  std::string word = "a";
  std::vector<std::string> words;
  std::optional<std::vector<int64_t>> ids;
  void fields(FieldVisitor& v) override {
    v.field("how_many", how_many, "So many.", {.minimum = 1});
    v.field("share", share, "A share.");
    v.field("loud", loud, "Loud.");
    v.field("word", word, "A word.");
    v.field("words", words, "Words.");
    v.field("ids", ids, "Ids.");
  }
};

Some read(std::vector<std::string> arguments) {
  Some out;
  GivenFlags given;
  CLI::App app;
  declare_flags(app, Some(), given);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  apply_flags(given, out);
  return out;
}

TEST(FieldFlags, SetTheFieldsThatAreGiven) {
  const Some none = read({});
  EXPECT_EQ(none.how_many, 2);
  EXPECT_FALSE(none.ids.has_value());
  const Some some = read({"--how-many", "7", "--loud", "--word", "b: [c", "--share", "-1.5"});
  EXPECT_EQ(some.how_many, 7);
  EXPECT_EQ(some.share, -1.5);
  EXPECT_TRUE(some.loud);
  EXPECT_EQ(some.word, "b: [c");
}

TEST(FieldFlags, AreRepeatedForTheItemsOfAList) {
  const Some some = read({"--words", "x, \"y\"", "--words", "\n", "--ids", "3", "--ids", "4"});
  EXPECT_EQ(some.words, (std::vector<std::string>{"x, \"y\"", "\n"}));
  EXPECT_EQ(some.ids, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(read({"--how-many", "3", "--how-many", "4"}).how_many, 4);
}

TEST(FieldFlags, RejectWhatTheFieldRejects) {
  EXPECT_THROW(read({"--how-many", "0"}), UserError);
  EXPECT_THROW(read({"--how-many", "some"}), UserError);
  EXPECT_THROW(read({"--ids", "one"}), UserError);
  for (const std::string flag : {"--word", "--words"}) {
    try {
      read({flag, "a\xFF"});
      FAIL() << flag;
    } catch (const UserError& error) {
      EXPECT_EQ(error.what(),
                flag + ": holds a byte that is not UTF-8 text. Give the flag UTF-8 text.");
    }
  }
}

}  // namespace
}  // namespace mixtune::test
