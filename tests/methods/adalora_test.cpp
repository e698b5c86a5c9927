// AdaLoRA: the budget worked by hand, and training steps of two linears compared with PEFT.
#include "moe/experts/rank_budget.h"
#include "support/golden_tensors.h"
#include "support/hand_made_linear.h"

namespace mixtune::test {
namespace {

HandMadeLinear two_linears(const std::string& yaml, int64_t in = 5) {
  HandMadeLinear made({{Role::query, "query", 3}, {Role::value, "value", 4}}, in);
  made.attach_method("adalora", yaml);
  return made;
}

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no UserError";
}

// 24 ranks shrink to 8 between steps 10 and 30 of 40: half-way an eighth of the 16 are left.
TEST(AdaLora, TheBudgetDeclinesAsACube) {
  const RankBudgetSettings settings{.target = 2, .initial_steps = 10, .final_steps = 10};
  EXPECT_EQ(ranks_at(settings, 1, 40, 24, 8), 24);
  EXPECT_EQ(ranks_at(settings, 10, 40, 24, 8), 24);
  EXPECT_EQ(ranks_at(settings, 20, 40, 24, 8), 10);
  EXPECT_EQ(ranks_at(settings, 29, 40, 24, 8), 8);
  EXPECT_EQ(ranks_at(settings, 30, 40, 24, 8), 8);
  EXPECT_EQ(ranks_at(settings, 40, 40, 24, 8), 8);
}

TEST(AdaLora, StartsAsTheModelItself) {
  HandMadeLinear made = two_linears("init_r: 4\ntarget_r: 2");
  const Tensor x = draw({6, 5}, 1, "x").to(at::kDouble);
  EXPECT_CLOSE(made.forward(x), made.group.base(x, made.group.all()), 0);
  EXPECT_GT(made.value("query.lora_B").abs().sum().item<double>(), 0);
}

TEST(AdaLora, MergedWeightsGiveTheSameOutputs) {
  HandMadeLinear made = two_linears("init_r: 4\ntarget_r: 2");
  for (const char* name : {"query.lora_E", "value.lora_E"}) made.set(name, draw({4, 1}, 1, name));
  const Tensor x = draw({6, 5}, 1, "x").to(at::kDouble);
  for (size_t m = 0; m < 2; ++m) {
    const Tensor merged = made.group.adapter->merged(made.group, m).value();
    const Tensor y = at::linear(x, merged, made.group.bias_of({m, m + 1}));
    EXPECT_CLOSE(made.forward(x, MemberRange{m, m + 1}), y, 1e-12);
  }
}

TEST(AdaLora, RejectsSettingsWithoutARangeToShrink) {
  EXPECT_NE(error_of([] {
              two_linears("init_r: 4\ntarget_r: 5");
            }).find("target_r is 5; expected 1 to 4 (init_r)"),
            std::string::npos);
  HandMadeLinear made = two_linears("init_r: 4\ntarget_r: 2\ntinit: 6\ntfinal: 5");
  ASSERT_EQ(made.attachment->update_rules.size(), 1u);
  const UpdateRule& rule = made.attachment->update_rules.front();
  rule.check(12);
  EXPECT_EQ(error_of([&] {
              rule.check(11);
            }).find("adalora.tinit: is 6 and tfinal is 5; the run has 11 steps"),
            0u);
}

// Compares loss, matrices and singular values after every step: gradient descent at a fixed rate;
// the rank budget shrinks at every second step and is then fixed.
void check_adalora(const GoldenCase& one, GoldenTally& tally) {
  GoldenTensors golden(one.folder / "tensors.safetensors");
  HandMadeLinear made = two_linears(one.json.at("method").dump(), golden.get("x").size(1));
  const at::NoGradGuard no_grad;
  made.group.weight.copy_(golden.get("weight"));
  made.group.bias.copy_(golden.get("bias"));
  const std::vector<std::string> names = {"query.lora_A", "query.lora_E", "query.lora_B",
                                          "value.lora_A", "value.lora_E", "value.lora_B"};
  for (const std::string& name : names) made.set(name, golden.get("step0." + name));
  const Tensor x = golden.get("x"), target = golden.get("target");
  const int64_t steps = one.json.at("steps");
  Trainables& trainables = made.attachment->trainables;
  for (int64_t step = 1; step <= steps; ++step) {
    SCOPED_TRACE(step);
    trainables.zero_gradients();
    Tensor loss;
    {
      const at::AutoGradMode tracked(true);
      ForwardContext context = made.context(Phase::train, step);
      loss = 0.5 * (made.forward(x, context) - target).square().sum() /
                 static_cast<double>(x.size(0)) +
             made.attachment->auxiliary_sum(context);
      loss.backward();
    }
    golden.expect_near(loss.item<double>(), one.json.at("losses").at(step - 1), 1e-9, "loss");
    trainables.values.sub_(trainables.gradients, one.json.at("learning_rate").get<double>());
    made.attachment->update_rules.front().after(
        {.step = step, .total = steps, .gradient_scale = 1});
    for (const std::string& name : names)
      golden.expect_near(made.value(name), golden.get("step" + std::to_string(step) + "." + name),
                         1e-9, name);
  }
  tally.checked(one, golden.values());
}

MIXTUNE_GOLDEN_CHECKER(adalora, check_adalora);

}  // namespace
}  // namespace mixtune::test
