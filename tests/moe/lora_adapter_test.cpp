// The stacked low-rank path compared with the loop over members that it replaces: values,
// gradients, ranges, masks.
#include <cmath>

#include "support/hand_made_linear.h"

namespace mixtune::test {
namespace {

HandMadeLinear attention_group(const std::string& yaml, at::TensorOptions options = at::kDouble) {
  HandMadeLinear made(
      {{Role::query, "self.query", 6}, {Role::key, "self.key", 6}, {Role::value, "self.value", 6}},
      5, options);
  made.attach_method("lora", yaml);
  perturb(made.attachment->trainables, 0.5);
  return made;
}

// Runs one member after the other: W x + b + scaling * B (A x), composed of tracked operations.
Tensor member_by_member(const HandMadeLinear& made, const Tensor& x,
                        const std::map<std::string, double>& scaling,
                        std::map<std::string, Tensor>* leaves = nullptr) {
  std::vector<Tensor> parts;
  for (size_t m = 0; m < made.group.members().size(); ++m) {
    Tensor part = made.group.base(x, {m, m + 1});
    const std::string name = made.group.members()[m].name;
    if (scaling.contains(name)) {
      const auto leaf = [&](const std::string& suffix) {
        Tensor out = made.value(name + suffix).clone().requires_grad_(true);
        if (leaves) (*leaves)[name + suffix] = out;
        return out;
      };
      const Tensor shrink = at::mm(x, leaf(".lora_A.weight").t());
      part = part + scaling.at(name) * at::mm(shrink, leaf(".lora_B.weight").t());
    }
    parts.push_back(part);
  }
  return at::cat(parts, 1);
}

TEST(LowRank, StackedPathEqualsTheLoopOverMembersGradientsIncluded) {
  const std::string recipes[] = {"target_modules: [query, key, value]\nr: 2\nlora_alpha: 3",
                                 "target_modules: [query, value]\nr: 2\nlora_alpha: 3",
                                 "target_modules: [key]\nr: 2\nlora_alpha: 3"};
  const std::vector<std::string> adapted[] = {
      {"self.query", "self.key", "self.value"}, {"self.query", "self.value"}, {"self.key"}};
  for (int i = 0; i < 3; ++i) {
    HandMadeLinear made = attention_group(recipes[i]);
    std::map<std::string, double> scaling;
    for (const std::string& name : adapted[i]) scaling[name] = 1.5;
    const Tensor start = draw({7, 5}, 1, "x").to(at::kDouble);
    const Tensor weights = draw({7, 18}, 1, "weights").to(at::kDouble);
    const Tensor x = start.clone().requires_grad_(true), other = start.clone().requires_grad_(true);
    std::map<std::string, Tensor> leaves;
    const Tensor stacked = made.forward(x), loop = member_by_member(made, other, scaling, &leaves);
    EXPECT_CLOSE(stacked, loop, 1e-12);
    (stacked * weights).sum().backward();
    (loop * weights).sum().backward();
    EXPECT_CLOSE(x.grad(), other.grad(), 1e-12);
    for (const auto& [name, leaf] : leaves)
      EXPECT_CLOSE(made.gradient(name), leaf.grad(), 1e-12) << name;
  }
}

TEST(LowRank, ARangeOfMembersGivesItsColumnsOfTheWhole) {
  HandMadeLinear made = attention_group("target_modules: [query, value]\nr: 2");
  const Tensor x = draw({7, 5}, 1, "x").to(at::kDouble);
  const Tensor whole = made.forward(x);
  EXPECT_CLOSE(made.forward(x, {0, 1}), whole.narrow(1, 0, 6), 1e-12);
  EXPECT_CLOSE(made.forward(x, {1, 2}), whole.narrow(1, 6, 6), 1e-12);
  EXPECT_CLOSE(made.forward(x, {1, 3}), whole.narrow(1, 6, 12), 1e-12);
}

// A range without the first member must leave the other rows of the stacked A without a gradient.
TEST(LowRank, ARangeGivesGradientsToItsMembersAlone) {
  HandMadeLinear made = attention_group("target_modules: [query, value]\nr: 2");
  made.forward(draw({7, 5}, 1, "x").to(at::kDouble), {1, 3}).sum().backward();
  EXPECT_EQ(made.gradient("self.query.lora_A.weight").abs().max().item<double>(), 0);
  EXPECT_GT(made.gradient("self.value.lora_A.weight").abs().max().item<double>(), 0);
}

TEST(LowRank, RankAndAlphaPatternsChangeTheModulesThatTheyMatch) {
  HandMadeLinear made = attention_group(
      "target_modules: [query, key, value]\nr: 2\nlora_alpha: 4\n"
      "rank_pattern: {key: 3}\nalpha_pattern: {'self.value': 10}");
  EXPECT_EQ(made.value("self.query.lora_A.weight").size(0), 2);
  EXPECT_EQ(made.value("self.key.lora_A.weight").size(0), 3);
  EXPECT_EQ(made.value("self.value.lora_A.weight").size(0), 2);
  const Tensor x = draw({7, 5}, 1, "x").to(at::kDouble);
  EXPECT_CLOSE(
      made.forward(x),
      member_by_member(made, x, {{"self.query", 2}, {"self.key", 4.0 / 3}, {"self.value", 5}}),
      1e-12);
}

TEST(LowRank, RankStabilizedScalingFollowsThePattern) {
  HandMadeLinear made = attention_group(
      "target_modules: [query, key]\nr: 4\nlora_alpha: 6\nuse_rslora: true\nrank_pattern: {key: "
      "9}");
  const Tensor x = draw({7, 5}, 1, "x").to(at::kDouble);
  EXPECT_CLOSE(made.forward(x), member_by_member(made, x, {{"self.query", 3}, {"self.key", 2}}),
               1e-12);
}

TEST(LowRank, MergedEqualsUnmerged) {
  HandMadeLinear made = attention_group("target_modules: [query, value]\nr: 2");
  const Tensor x = draw({7, 5}, 1, "x").to(at::kDouble);
  const Tensor whole = made.forward(x);
  for (size_t m = 0; m < 3; ++m) {
    const Tensor merged = made.group.adapter->merged(made.group, m).value();
    EXPECT_CLOSE(at::linear(x, merged, made.group.bias_of({m, m + 1})),
                 whole.narrow(1, static_cast<int64_t>(m) * 6, 6), 1e-12);
  }
}

// Query and value have the same A and B, so with one mask for the group their updates are equal,
// masked or not.
TEST(LowRank, DropoutHasOneMaskPerGroupAndDoesNotApplyToTheBase) {
  HandMadeLinear made =
      attention_group("target_modules: [query, value]\nr: 2\nlora_dropout: 0.5", at::kFloat);
  for (const std::string part : {".lora_A.weight", ".lora_B.weight"})
    made.set("self.value" + part, made.value("self.query" + part));
  const Tensor x = draw({64, 5}, 1, "x");
  const at::NoGradGuard no_grad;
  const Tensor base = made.group.base(x, made.group.all());
  const auto update = [&](Phase phase, int64_t step) {
    return made.forward(x, phase, step) - base;
  };
  const Tensor masked = update(Phase::train, 0), plain = update(Phase::evaluate, 0);
  const double rounding = float_rounding(base, 5) + float_rounding(masked, 5 * 2);
  EXPECT_CLOSE(masked.narrow(1, 0, 6), masked.narrow(1, 12, 6), rounding);
  EXPECT_CLOSE(masked.narrow(1, 6, 6), at::zeros({64, 6}), rounding);  // the key has no update
  EXPECT_GT(largest_difference(masked, plain), 0.1);
  EXPECT_SAME(update(Phase::train, 0), masked);
  EXPECT_GT(largest_difference(update(Phase::train, 1), masked), 0.1);
  // Every entry of x is dropped or doubled.
  const DropoutMask mask = [&] {
    Reducer alone;
    const SequenceLayout rows = rows_of({64});
    return ForwardContext(Phase::train, 7, 0, alone).mask(0.5, made.group.site(), {}, "lora", rows);
  }();
  const Tensor dropped = apply_mask(x, mask);
  EXPECT_TRUE(dropped.eq(0).logical_or((dropped - 2 * x).abs().lt(1e-6)).all().item<bool>());
  const Tensor a = made.value("self.query.lora_A.weight"),
               b = made.value("self.query.lora_B.weight");
  EXPECT_CLOSE(masked.narrow(1, 0, 6), 8 * at::mm(at::mm(dropped, a.t()), b.t()), rounding);
}

TEST(LowRank, GradientsUseTheDropoutMaskOfTheForwardPass) {
  HandMadeLinear made =
      attention_group("target_modules: [query, value]\nr: 2\nlora_dropout: 0.5\nlora_alpha: 4");
  const Tensor x = draw({9, 5}, 1, "x").to(at::kDouble).requires_grad_(true);
  made.forward(x, Phase::train).sum().backward();
  const Tensor values = x.detach();
  const auto loss = [&] { return made.forward(values, Phase::train).sum().item<double>(); };
  const auto compare = [&](const Tensor& leaf, const Tensor& gradient) {
    const at::NoGradGuard no_grad;
    const double step = 1e-6;
    for (int64_t i = 0; i < leaf.numel(); ++i) {
      const Tensor entry = leaf.view({-1})[i];
      entry.add_(step);
      const double above = loss();
      entry.sub_(2 * step);
      const double below = loss();
      entry.add_(step);
      EXPECT_NEAR(gradient.view({-1})[i].item<double>(), (above - below) / (2 * step), 1e-6) << i;
    }
  };
  compare(values, x.grad());
  for (const std::string name : {"self.query.lora_A.weight", "self.value.lora_B.weight"})
    compare(made.value(name), made.gradient(name));
}

}  // namespace
}  // namespace mixtune::test
