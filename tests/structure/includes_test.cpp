// Compares every include of src/ with the table "folder | may include" of docs/design.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "base/file.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

// "files, text (why)" to {"files", "text"}.
std::set<std::string> names_in(std::string cell) {
  cell = std::regex_replace(cell, std::regex(R"(\([^)]*\))"), "");
  std::set<std::string> out;
  const std::regex name(R"([a-z_0-9]+(/[a-z_0-9]+\.h)?)");
  for (std::sregex_iterator at(cell.begin(), cell.end(), name), end; at != end; ++at)
    out.insert(at->str());
  return out;
}

using Allowed = std::map<std::string, std::set<std::string>>;

Allowed allowed_includes() {
  const std::string page = read_file(source_dir() / "docs/design.md");
  const size_t begin = page.find("| folder | may include |");
  if (begin == std::string::npos) return {};
  Allowed out;
  const std::regex row(R"(^\|([^|]*)\|([^|]*)\|$)");
  size_t at = page.find('\n', begin) + 1;
  for (size_t end; page[at] == '|'; at = end + 1) {
    end = page.find('\n', at);
    std::smatch cells;
    const std::string line = page.substr(at, end - at);
    if (!std::regex_match(line, cells, row) || line.find("---") != std::string::npos) continue;
    for (const std::string& folder : names_in(cells[1])) out[folder] = names_in(cells[2]);
  }
  return out;
}

TEST(Includes, FollowTheTableOfTheDesign) {
  const Allowed allowed = allowed_includes();
  ASSERT_FALSE(allowed.empty()) << "docs/design.md has no table '| folder | may include |'";
  const std::regex include(R"re(#include "([a-z_0-9]+)/([^"]+)")re");
  int checked = 0;
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() / "src")) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
    const fs::path relative = fs::relative(entry.path(), source_dir() / "src");
    const std::string folder = relative.begin()->string(), text = read_file(entry.path());
    for (std::sregex_iterator at(text.begin(), text.end(), include), end; at != end; ++at) {
      const std::string space = (*at)[1], header = space + "/" + (*at)[2].str();
      ++checked;
      if (space == folder || space == "base") continue;
      const auto rule = allowed.find(folder);
      ASSERT_NE(rule, allowed.end()) << relative << " includes " << header << ", and the table of "
                                     << "docs/design.md has no row for " << folder;
      const std::set<std::string>& may = rule->second;
      EXPECT_TRUE(may.contains("all") || may.contains(space) || may.contains(header))
          << "src/" << relative.string() << " includes " << header
          << "; docs/design.md does not let " << folder << " include it";
    }
  }
  EXPECT_GT(checked, 100);
}

TEST(Includes, NothingIncludesAllOfTorch) {
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() / "src")) {
    const std::string extension = entry.path().extension();
    if (extension != ".h" && extension != ".cpp") continue;
    EXPECT_EQ(read_file(entry.path()).find("#include <torch/torch.h>"), std::string::npos)
        << entry.path();
  }
}

}  // namespace
}  // namespace mixtune::test
