// Rules and filters on the scores of the next token: numbers worked by hand, then golden kind
// `logits_processors`.
#include "models/token_rules.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/golden_tensors.h"

namespace mixtune::test {
namespace {

using Row = std::vector<float>;

Row ruled(Row row, const std::vector<int32_t>& ids, int64_t prompt, const TokenRules& rules) {
  apply_rules(row, {ids, prompt}, rules);
  return row;
}

Row filtered(Row row, const SamplingFilters& filters) {
  apply_filters(row, filters);
  return row;
}

std::vector<int64_t> kept(const Row& row) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < row.size(); ++i)
    if (row[i] > kForbidden) out.push_back(static_cast<int64_t>(i));
  return out;
}

TEST(TokenRules, ApplyTheRepetitionPenaltyOncePerId) {
  EXPECT_EQ(ruled({3, -2, 1, 5}, {0, 1, 0}, 3, {.repetition_penalty = 2}), (Row{1.5, -4, 1, 5}));
}

TEST(TokenRules, ForbidRepeatedNgrams) {
  const std::vector<int32_t> ids = {1, 2, 3, 1, 2};
  EXPECT_EQ(kept(ruled({0, 0, 0, 0}, ids, 1, {.no_repeat_ngram_size = 3})),
            (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(kept(ruled({0, 0, 0, 0}, ids, 1, {.no_repeat_ngram_size = 1})),
            std::vector<int64_t>{0});
  EXPECT_EQ(kept(ruled({0, 0, 0, 0}, {1}, 1, {.no_repeat_ngram_size = 3})).size(), 4u);
}

TEST(TokenRules, ForbidStopTokensBeforeTheMinimumLength) {
  const TokenRules rules{.min_new_tokens = 2, .stops = {1, 3}};
  EXPECT_EQ(kept(ruled({0, 0, 0, 0}, {2, 2, 0}, 2, rules)), (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(kept(ruled({0, 0, 0, 0}, {2, 2, 0, 0}, 2, rules)).size(), 4u);
  EXPECT_TRUE(rules.is_stop(3));
  EXPECT_FALSE(rules.is_stop(2));
}

// Probabilities 1/2, 1/4, 1/8, 1/8.
TEST(SamplingFilters, KeepTheExpectedTokensOfFour) {
  const Row row = {std::log(4.0f), std::log(2.0f), 0, 0};
  EXPECT_EQ(kept(filtered(row, {.top_k = 2})), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(kept(filtered(row, {.top_k = 3})).size(), 4u);  // ties with the third are kept
  EXPECT_EQ(kept(filtered(row, {.top_p = 0.4})), std::vector<int64_t>{0});
  EXPECT_EQ(kept(filtered(row, {.top_p = 0.6})), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(kept(filtered(row, {.min_p = 0.4})), (std::vector<int64_t>{0, 1}));
  // The entropy is 1.75 bits; surprises 1, 2, 3, 3 bits: the second token is nearest.
  EXPECT_EQ(kept(filtered(row, {.typical_p = 0.2})), std::vector<int64_t>{1});
  EXPECT_EQ(kept(filtered(row, {.typical_p = 0.6})), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(filtered({2, 4}, {.temperature = 2}), (Row{1, 2}));
}

// "temperature_0.8_top_k_10": the settings that a case's name holds.
void read_settings(std::string name, TokenRules& rules, SamplingFilters& filters) {
  if (name.starts_with("chain_")) name = name.substr(6);
  const auto value = [&](const std::string& key) -> std::optional<double> {
    const size_t found = name.find(key + "_");
    if (found == std::string::npos) return std::nullopt;
    return std::stod(name.substr(found + key.size() + 1));
  };
  filters.temperature = value("temperature").value_or(1);
  filters.top_k = static_cast<int64_t>(value("top_k").value_or(0));
  filters.top_p = value("top_p").value_or(1);
  filters.min_p = value("min_p").value_or(0);
  filters.typical_p = value("typical_p").value_or(1);
  rules.repetition_penalty = value("repetition_penalty").value_or(1);
  rules.no_repeat_ngram_size = static_cast<int64_t>(value("no_repeat_ngram").value_or(0));
}

// Rows 3 and 4 have equal logits, of which top_p may keep different ones, so only the number of
// kept tokens is compared.
bool may_keep_others(const std::string& name, int64_t row) {
  return name.find("top_p") != std::string::npos && (row == 3 || row == 4);
}

void check_logits_processors(const GoldenCase& one, GoldenTally& tally) {
  GoldenTensors tensors(one.folder / "tensors.safetensors");
  const double tolerance = one.json.at("tolerances").at("logits_abs");
  const Tensor logits = tensors.get("logits").contiguous();
  const Tensor previous = tensors.get("previous_ids");
  for (const auto& [name, recorded] : one.json.at("kept_ids").items()) {
    TokenRules rules;
    SamplingFilters filters;
    read_settings(name, rules, filters);
    const Tensor expected = tensors.get("out." + name);
    for (int64_t r = 0; r < logits.size(0); ++r) {
      SCOPED_TRACE(name + ", row " + std::to_string(r));
      const Tensor row = logits[r].clone();
      std::vector<int32_t> ids;
      for (int64_t n = 0; n < previous.size(1); ++n)
        ids.push_back(static_cast<int32_t>(previous[r][n].item<int64_t>()));
      const std::span<float> span(row.data_ptr<float>(), static_cast<size_t>(row.numel()));
      apply_rules(span, {ids, 0}, rules);
      apply_filters(span, filters);
      const auto ours = kept({span.begin(), span.end()});
      const auto theirs = recorded.at(static_cast<size_t>(r)).get<std::vector<int64_t>>();
      EXPECT_EQ(ours.size(), theirs.size());
      if (may_keep_others(name, r)) continue;
      EXPECT_EQ(ours, theirs);
      const Tensor index = at::tensor(theirs, at::kLong);
      tensors.expect_near(row.index_select(0, index), expected[r].index_select(0, index), tolerance,
                          name);
    }
  }
  tally.checked(one, tensors.values());
}

MIXTUNE_GOLDEN_CHECKER(logits_processors, check_logits_processors);

}  // namespace
}  // namespace mixtune::test
