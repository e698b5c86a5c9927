// Golden cases are found at run time: every case.json below golden_roots(), told apart by its
// `kind`. MIXTUNE_GOLDEN_CHECKER declares the checker of a kind and makes it a test; a checker
// takes every size from the case, so that more cases of a kind need no new code. Nothing here needs
// torch.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "support/paths.h"

namespace mixtune::test {

struct GoldenCase {
  fs::path folder;
  Json json;
  std::string kind;
  std::string name;  // of the folder
};

// The cases below a root of every kind, sorted by path.
inline std::vector<GoldenCase> golden_cases_below(const fs::path& root) {
  std::vector<fs::path> files;
  if (fs::is_directory(root))
    for (const auto& entry : fs::recursive_directory_iterator(root))
      if (entry.path().filename() == "case.json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<GoldenCase> cases;
  for (const fs::path& file : files) {
    Json json = read_json(file);
    std::string kind = json.value("kind", "");
    const fs::path folder = file.parent_path();
    cases.push_back({folder, std::move(json), std::move(kind), folder.filename().string()});
  }
  return cases;
}

// A case that lies below several roots is given once, from the first.
inline std::vector<GoldenCase> all_golden_cases() {
  std::vector<GoldenCase> cases;
  std::set<std::string> seen;
  for (const fs::path& root : golden_roots())
    for (GoldenCase& one : golden_cases_below(root))
      if (seen.insert(fs::relative(one.folder, root).string()).second)
        cases.push_back(std::move(one));
  return cases;
}

inline std::vector<GoldenCase> golden_cases(const std::string& kind) {
  std::vector<GoldenCase> cases;
  for (GoldenCase& one : all_golden_cases())
    if (one.kind == kind) cases.push_back(std::move(one));
  return cases;
}

// A line of tests/golden_pending.txt: `<kind> <case, model type or *> <issue>`.
struct Pending {
  std::string kind, name, issue;
};

inline std::vector<Pending> pending_lines() {
  std::vector<Pending> out;
  std::ifstream file(source_dir() / "tests" / "golden_pending.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    Pending one;
    if (words >> one.kind >> one.name >> one.issue) out.push_back(one);
  }
  return out;
}

// Whether the case belongs to a family whose checker is still to be written. Any other case without
// a checker fails.
inline bool is_pending(const GoldenCase& golden) {
  std::string model_type;
  for (const Json* json :
       {&golden.json, golden.json.contains("config") ? &golden.json["config"] : nullptr})
    if (json && json->is_object() && json->contains("model_type") &&
        (*json)["model_type"].is_string())
      model_type = (*json)["model_type"];
  for (const Pending& one : pending_lines())
    if (one.kind == golden.kind &&
        (one.name == golden.name || one.name == model_type || one.name == "*"))
      return true;
  return false;
}

// The file or folder that a case names: "data/..." is in the data folder, "models/..." is a shipped
// model, anything else is in the folder of the case.
inline fs::path golden_path(const GoldenCase& golden, const std::string& path) {
  if (path.starts_with("data/")) return data_dir() / path.substr(5);
  if (path.starts_with("models/")) return source_dir() / path;
  return golden.folder / path;
}

// The allowed difference at a number: above one it is relative, because a sum of large terms rounds
// as they do.
inline double allowed_at(double expected, double tolerance) {
  return tolerance * std::max(1.0, std::abs(expected));
}

// Counts what a checker compared and prints the closing line of its kind:
// `golden tokenizer: 8 cases, 4321 values, 6 pending`.
class GoldenTally {
 public:
  explicit GoldenTally(std::string kind) : kind_(std::move(kind)) {}
  GoldenTally(const GoldenTally&) = delete;
  GoldenTally& operator=(const GoldenTally&) = delete;
  ~GoldenTally() {
    std::printf("golden %s: %lld cases, %lld values, %lld pending", kind_.c_str(), cases_, values_,
                pending_);
    if (skipped_ > 0) std::printf(", %lld skipped", skipped_);
    std::printf("\n");
  }

  // Call after each case with the number of values that were compared in it. Zero is a failure,
  // because a checker that compares nothing always passes.
  void checked(const GoldenCase& golden, long long values) {
    ++cases_;
    values_ += values;
    if (values == 0) ADD_FAILURE() << golden.folder.string() << " has no value compared";
  }
  void pending(const GoldenCase& golden) {
    ++pending_;
    std::printf("golden %s: %s is pending\n", kind_.c_str(), golden.name.c_str());
  }
  // A case that needs something this machine does not have.
  void skipped(const GoldenCase& golden, const std::string& why) {
    ++skipped_;
    std::printf("golden %s: %s is skipped: %s\n", kind_.c_str(), golden.name.c_str(), why.c_str());
  }
  long long cases() const { return cases_; }
  long long skipped() const { return skipped_; }
  long long seen() const { return cases_ + skipped_ + pending_; }  // with any outcome

 private:
  std::string kind_;
  long long cases_ = 0, values_ = 0, pending_ = 0, skipped_ = 0;
};

// A checker compares one case and reports the outcome to the tally.
using GoldenChecker = void (*)(const GoldenCase& one, GoldenTally& tally);

// Checks every case of a kind. If no case could be compared, the test is skipped if this machine
// lacks something, and fails otherwise.
inline void check_every_case(const std::string& kind, GoldenChecker check) {
  const std::vector<GoldenCase> cases = golden_cases(kind);
  if (cases.empty()) GTEST_SKIP() << "no golden case of kind " << kind << " is here";
  GoldenTally tally(kind);
  for (const GoldenCase& one : cases) {
    SCOPED_TRACE(one.folder.string());
    const long long before = tally.seen();
    if (is_pending(one))
      tally.pending(one);
    else
      check(one, tally);
    EXPECT_EQ(tally.seen(), before + 1) << "the case was neither compared nor skipped";
  }
  if (tally.cases() > 0) return;
  if (tally.skipped() > 0) GTEST_SKIP() << "no golden case of kind " << kind << " can run here";
  ADD_FAILURE() << "no golden case of kind " << kind << " was compared";
}

// The test of a kind, at the end of its file. tests/conformance/golden_kinds_test.cpp reads these
// lines: every kind among the cases must have one.
#define MIXTUNE_GOLDEN_CHECKER(kind, checker)          \
  TEST(Golden, EveryCaseOfKind_golden_##kind) {        \
    ::mixtune::test::check_every_case(#kind, checker); \
  }                                                    \
  static_assert(true, "so that a semicolon follows")

}  // namespace mixtune::test
