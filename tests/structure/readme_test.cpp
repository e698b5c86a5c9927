// Checks the README: every path, command and method that it names exists.
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/file.h"
#include "cli/command.h"
#include "methods/method.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

std::string readme() {
  return read_file(source_dir() / "README.md");
}

std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  std::set<std::string> out;
  const std::regex regex(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at)
    out.insert((*at)[1].str());
  return out;
}

TEST(Readme, NamesOnlyPathsThatExist) {
  const std::string text = readme();
  const std::set<std::string> paths = matches(
      text, R"(((?:src|docs|tests|recipes|examples|cmake)/[A-Za-z0-9_./-]*[A-Za-z0-9_]/?))");
  EXPECT_GT(paths.size(), 10u);
  for (const std::string& path : paths) EXPECT_TRUE(fs::exists(source_dir() / path)) << path;
  for (const std::string& link : matches(text, R"(\]\(([^)#:]+)\))"))
    EXPECT_TRUE(fs::exists(source_dir() / link)) << link;
}

TEST(Readme, NamesOnlyCommandsAndTargetsThatExist) {
  const std::string text = readme();
  const std::set<std::string> named = matches(text, R"((?:\n|`|build/)mixtune ([a-z]+)(?![a-z-]))");
  EXPECT_GT(named.size(), 5u);
  for (const std::string& name : named)
    EXPECT_NE(commands().find(name), nullptr) << "mixtune " << name;
  const std::string makefile = read_file(source_dir() / "Makefile");
  for (const std::string& target : matches(text, R"(make ([a-z]+))"))
    EXPECT_NE(makefile.find("\n" + target + ":"), std::string::npos) << "make " << target;
}

// Three files name the range in words, and two of them also check it.
TEST(Readme, NamesTheVersionsOfLibtorchThatTheBuildAccepts) {
  const std::string makefile = read_file(source_dir() / "Makefile");
  const std::string cmake = read_file(source_dir() / "cmake/libtorch.cmake");
  const std::string range = R"((2\.[0-9]+ to 2\.[0-9]+))";
  const std::set<std::string> named = matches(readme(), range);
  ASSERT_EQ(named.size(), 1u);
  EXPECT_EQ(matches(makefile, range), named);
  EXPECT_EQ(matches(cmake, range), named);
  const std::string oldest = *matches(*named.begin(), R"(^2\.([0-9]+))").begin();
  const std::string newest = *matches(*named.begin(), R"(to 2\.([0-9]+))").begin();
  const std::string too_new = std::to_string(std::stoi(newest) + 1);
  EXPECT_NE(makefile.find(" " + oldest + " <= int(v[1]) <= " + newest), std::string::npos);
  EXPECT_NE(cmake.find("VERSION_LESS 2." + oldest + " "), std::string::npos);
  EXPECT_NE(cmake.find("VERSION_GREATER_EQUAL 2." + too_new + ")"), std::string::npos);
}

TEST(Readme, ListsEveryMethod) {
  const std::string text = readme();
  for (const std::string& name : methods().names())
    EXPECT_NE(text.find("| `" + name + "` |"), std::string::npos) << name;
}

TEST(Docs, CommandsPageHasEveryCommand) {
  const std::string text = read_file(source_dir() / "docs/commands.md");
  for (const CommandEntry& command : commands().entries())
    EXPECT_NE(text.find("`mixtune " + command.name), std::string::npos) << command.name;
}

}  // namespace
}  // namespace mixtune::test
