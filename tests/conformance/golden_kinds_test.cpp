// Checks that every golden case has a checker and that no checker can be removed unnoticed. Nothing
// is listed by hand: kinds are those of the cases on disk, checkers are the MIXTUNE_GOLDEN_CHECKER
// lines of tests/, and cases that others read are found by their `weights_file`.
#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "base/file.h"
#include "support/golden.h"

namespace mixtune::test {
namespace {

// The kinds for which a source declares a checker: the macro is at the start of a line.
std::vector<std::string> checkers_in(const std::string& source) {
  static const std::regex line(R"((?:^|\n)MIXTUNE_GOLDEN_CHECKER\((\w+), \w+\);)");
  std::vector<std::string> out;
  for (std::sregex_iterator at(source.begin(), source.end(), line), end; at != end; ++at)
    out.push_back((*at)[1]);
  return out;
}

// Every checker of this tree: its kind and its file. The build takes every *_test.cpp of a folder.
std::multimap<std::string, fs::path> declared_checkers() {
  std::multimap<std::string, fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() / "tests"))
    if (entry.path().string().ends_with("_test.cpp"))
      for (const std::string& kind : checkers_in(read_file(entry.path())))
        out.emplace(kind, entry.path());
  return out;
}

std::set<std::string> kinds_of(const std::multimap<std::string, fs::path>& checkers) {
  std::set<std::string> out;
  for (const auto& [kind, file] : checkers) out.insert(kind);
  return out;
}

// Folders whose tensors other cases read.
std::set<fs::path> folders_read_by_others(const std::vector<GoldenCase>& cases) {
  std::set<fs::path> out;
  for (const GoldenCase& one : cases)
    if (one.json.contains("weights_file"))
      out.insert(fs::weakly_canonical(one.folder / one.json.at("weights_file").get<std::string>())
                     .parent_path());
  return out;
}

// The cases that have no checker, are not pending and are not read by another case.
std::vector<GoldenCase> unclaimed(const std::vector<GoldenCase>& cases,
                                  const std::set<std::string>& checked) {
  const std::set<fs::path> read = folders_read_by_others(cases);
  std::vector<GoldenCase> out;
  for (const GoldenCase& one : cases)
    if (!checked.contains(one.kind) && !is_pending(one) &&
        !read.contains(fs::weakly_canonical(one.folder)))
      out.push_back(one);
  return out;
}

std::vector<GoldenCase> shipped_cases() {
  return golden_cases_below(source_dir() / "tests" / "golden");
}

TEST(GoldenKinds, CheckersAreReadFromSources_golden_kinds) {
  EXPECT_EQ(checkers_in("MIXTUNE_GOLDEN_CHECKER(one, check_one);\n}\n"
                        "MIXTUNE_GOLDEN_CHECKER(two_b, check_two);\n"
                        "// MIXTUNE_GOLDEN_CHECKER(three, check_three);\n"
                        "#define MIXTUNE_GOLDEN_CHECKER(kind, checker) \\\n"),
            (std::vector<std::string>{"one", "two_b"}));
}

TEST(GoldenKinds, EveryCaseHasACheckerOrIsPending_golden_kinds) {
  const std::vector<GoldenCase> cases = all_golden_cases();
  const std::set<std::string> checked = kinds_of(declared_checkers());
  std::map<std::string, int> pending;
  for (const GoldenCase& one : cases)
    if (!checked.contains(one.kind) && is_pending(one)) ++pending[one.kind];
  for (const auto& [kind, count] : pending)
    std::printf("golden %s: 0 cases, 0 values, %d pending\n", kind.c_str(), count);
  for (const GoldenCase& one : unclaimed(cases, checked))
    ADD_FAILURE() << one.folder.string() << " is of kind '" << one.kind
                  << "', which has no checker and no line in tests/golden_pending.txt";
}

// Shows that the tests fail if a checker is missing, even without the shared folder.
TEST(GoldenKinds, WithoutAnyOneCheckerAShippedCaseIsLeft_golden_kinds) {
  const std::vector<GoldenCase> shipped = shipped_cases();
  const auto checkers = declared_checkers();
  EXPECT_FALSE(checkers.empty());
  for (const auto& [kind, file] : checkers) {
    std::set<std::string> others = kinds_of(checkers);
    others.erase(kind);
    EXPECT_FALSE(unclaimed(shipped, others).empty())
        << "tests/golden has no case of kind " << kind << ", which " << file << " checks";
    EXPECT_EQ(checkers.count(kind), 1u) << kind << " has several checkers";
  }
}

TEST(GoldenKinds, ShippedCasesStayBelowEightMegabytes_golden_kinds) {
  uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() / "tests" / "golden"))
    if (entry.is_regular_file()) bytes += entry.file_size();
  EXPECT_LT(bytes, 8'000'000u);
}

TEST(GoldenKinds, NoWholeKindThatIsCheckedIsPending_golden_kinds) {
  const std::set<std::string> checked = kinds_of(declared_checkers());
  for (const Pending& line : pending_lines())
    EXPECT_FALSE(line.name == "*" && checked.contains(line.kind)) << line.kind;
}

TEST(GoldenKinds, EveryPendingLineNamesAnIssue_golden_kinds) {
  for (const Pending& line : pending_lines())
    EXPECT_TRUE(line.issue == "later" || line.issue.starts_with("#"))
        << line.kind << " " << line.issue;
}

}  // namespace
}  // namespace mixtune::test
