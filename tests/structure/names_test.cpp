// Two types of one name in two files are undefined behavior that no compiler reports: the linker
// keeps one destructor of std::vector<Name> for both. Therefore the name of each type outside of
// unnamed namespaces must be unique in src/.
#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "base/file.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

// The names of types outside of unnamed namespaces.
std::vector<std::string> types_in(const std::string& source) {
  static const std::regex type(R"(^(?:struct|class|enum class|enum) (\w+)[^;]*$)");
  std::vector<std::string> out;
  bool is_unnamed = false;
  size_t at = 0;
  for (size_t end; (end = source.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = source.substr(at, end - at);
    if (line == "namespace {") is_unnamed = true;
    if (line == "}  // namespace") is_unnamed = false;
    std::smatch found;
    if (!is_unnamed && std::regex_match(line, found, type)) out.push_back(found[1]);
  }
  return out;
}

TEST(Names, OfTypesAreFoundOutsideOfUnnamedNamespaces) {
  const std::string source =
      "namespace mixtune {\nclass Declared;\nstruct One {\n  struct Inner {\n};\n"
      "enum class Two { a };\n"
      "namespace {\nstruct Hidden {\n}  // namespace\nclass Three final : public One {\n";
  EXPECT_EQ(types_in(source), (std::vector<std::string>{"One", "Three"}));
}

TEST(Names, OfTypesAreUnique) {
  std::map<std::string, std::string> first;
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() / "src")) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
    for (const std::string& name : types_in(read_file(entry.path()))) {
      const auto [at, is_new] = first.emplace(name, entry.path().string());
      EXPECT_TRUE(is_new) << name << " is a type in " << at->second << " and in " << entry.path();
    }
  }
  EXPECT_GT(first.size(), 200u);
}

}  // namespace
}  // namespace mixtune::test
