// No golden case goes unnoticed: every kind that is found has a checker or is pending with the
// issue that builds it.
#include <gtest/gtest.h>

#include <map>

#include "support/golden.h"

namespace mixtune::test {
namespace {

// The kinds that a test of this tree checks.
const std::set<std::string>& checked_kinds() {
  static const std::set<std::string> kinds = {"adalora",
                                              "bpe_training",
                                              "decoding",
                                              "ffn_experts",
                                              "initialisation",
                                              "llama_training",
                                              "logits_processors",
                                              "lora_expert_linear",
                                              "metrics",
                                              "minilm",
                                              "model",
                                              "molex",
                                              "molex_decoding",
                                              "optimisation",
                                              "peft_adapter",
                                              "router",
                                              "text_metrics",
                                              "tokenizer"};
  return kinds;
}

// Cases that other cases read.
const std::set<std::string>& data_kinds() {
  static const std::set<std::string> kinds = {"molex_weights"};
  return kinds;
}

TEST(GoldenKinds, EveryCaseHasACheckerOrIsPending_golden_kinds) {
  std::map<std::string, int> pending;
  for (const GoldenCase& one : all_golden_cases()) {
    if (checked_kinds().contains(one.kind) || data_kinds().contains(one.kind)) continue;
    EXPECT_TRUE(is_pending(one))
        << one.folder.string() << " is of kind '" << one.kind
        << "', which has no checker and no line in tests/golden_pending.txt";
    ++pending[one.kind];
  }
  for (const auto& [kind, count] : pending)
    std::printf("golden %s: 0 cases, 0 values, %d pending\n", kind.c_str(), count);
}

TEST(GoldenKinds, NoWholeKindThatIsCheckedIsPending_golden_kinds) {
  for (const Pending& line : pending_lines())
    EXPECT_FALSE(line.name == "*" && checked_kinds().contains(line.kind)) << line.kind;
}

TEST(GoldenKinds, EveryPendingLineNamesAnIssue_golden_kinds) {
  for (const Pending& line : pending_lines())
    EXPECT_TRUE(line.issue == "later" || line.issue.starts_with("#"))
        << line.kind << " " << line.issue;
}

}  // namespace
}  // namespace mixtune::test
