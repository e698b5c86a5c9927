#include "base/error.h"

#include <gtest/gtest.h>

#include "base/registry.h"

namespace mixtune {
namespace {

TEST(UserErrorLine, HasItsThreePartsAndOneFullStop) {
  EXPECT_STREQ(UserError("f:1", "is bad", "Fix it.").what(), "f:1: is bad. Fix it.");
  EXPECT_STREQ(UserError("", "It is bad.", "").what(), "It is bad.");
}

TEST(UserErrorLine, IsOneLineForAnyCharactersInAName) {
  EXPECT_STREQ(UserError(std::string("a\0b", 3), "is\nbad\x1b[2J", "").what(), "a?b: is?bad?[2J.");
}

TEST(Suggestion, NamesTheNearestOrElseEverything) {
  EXPECT_EQ(suggestion("rnak", {"alpha", "rank"}), "Did you mean rank?");
  EXPECT_EQ(suggestion("zzz", {"alpha", "rank"}), "Known: alpha, rank.");
  EXPECT_EQ(nearest("a", {"b", "abc"}).size(), 0u);
}

TEST(Check, ThrowsABugWithItsValues) {
  try {
    MIXTUNE_CHECK(1 == 2, "one is 1");
    FAIL();
  } catch (const BugError& error) {
    EXPECT_NE(std::string(error.what()).find("1 == 2 does not hold: one is 1"), std::string::npos);
  }
}

TEST(RegistryOfNames, FindsByNameAndRejectsTwice) {
  struct Entry {
    std::string name;
  };
  Registry<Entry> registry;
  registry.add({"lora"});
  EXPECT_EQ(registry.get("lora", "here", "method").name, "lora");
  EXPECT_THROW(registry.add({"lora"}), BugError);
  try {
    registry.get("loar", "here", "method");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "here: unknown method 'loar'. Did you mean lora?");
  }
}

}  // namespace
}  // namespace mixtune
