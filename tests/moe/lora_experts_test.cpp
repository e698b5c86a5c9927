// The stacked-expert operator compared with the loop over experts that it replaces: values and
// gradients, shared and per-expert dropout masks, ranges of members, types; determinism, and
// skipped gradients.
#include <cmath>

#include "moe/experts/adapters.h"
#include "moe/targets.h"
#include "support/routers.h"

namespace mixtune::test {
namespace {

const std::string kRecipe =
    "target_modules: [query, key, value]\nnum_experts: 3\nr: 2\nlora_alpha: 3\n"
    "selection: {name: strict_top_p, p: 0.6, keep_top_k: 1}\nentropy_switch: {threshold: 0.9}\n"
    "losses: [{name: entropy, weight: 0.3}, {name: load, count: weight, weight: 0.2}]\n";

HandMadeLinear attention_experts(const std::string& yaml, at::TensorOptions options = at::kDouble) {
  HandMadeLinear made(
      {{Role::query, "self.query", 6}, {Role::key, "self.key", 4}, {Role::value, "self.value", 5}},
      5, options);
  made.attach_method("mixture", yaml);
  perturb(made.attachment->trainables, 0.7);
  return made;
}

struct Loop {
  std::map<std::string, Tensor> leaves;
  Tensor y, auxiliary;
};

// W x + sum_i g_i scaling B_i (A_i drop_i(x)), expert by expert, composed of tracked operations.
Loop expert_by_expert(const HandMadeLinear& made, const Tensor& x, const std::string& yaml,
                      const std::function<Tensor(const std::string&, int64_t)>& drop) {
  const auto spec = specs_from("mixture", yaml, {1, false})[0];
  const auto& adapter = dynamic_cast<const LoraExperts&>(*spec.adapter);
  Loop out;
  const auto leaf = [&](const std::string& name) {
    return out.leaves[name] = made.value(name).clone().requires_grad_(true);
  };
  std::vector<Tensor> parts, probabilities, weights;
  for (size_t m = 0; m < made.group.members().size(); ++m) {
    const Member& member = made.group.members()[m];
    Tensor part = made.group.base(x, {m, m + 1});
    if (!selected_members(made.group, spec.sites).empty() &&
        made.attachment->trainables.find(member.name + ".router.weight")) {
      const Tensor scores = at::mm(x, leaf(member.name + ".router.weight").t());
      const Routed routed = route_scores(scores, *spec.routing);
      probabilities.push_back(routed.probabilities);
      weights.push_back(routed.weights);
      const std::vector<int64_t> ranks = adapter.ranks_at(0);
      for (int64_t e = 0; e < adapter.experts[0]; ++e) {
        const std::string expert = member.name + ".experts." + std::to_string(e);
        const Tensor shrink = at::mm(drop(member.name, e), leaf(expert + ".lora_A.weight").t());
        const Tensor expanded = at::mm(shrink, leaf(expert + ".lora_B.weight").t());
        const double scaling = adapter.alpha / static_cast<double>(ranks[static_cast<size_t>(e)]);
        part = part + routed.weights.narrow(1, e, 1) * scaling * expanded;
      }
    }
    parts.push_back(part);
  }
  out.y = at::cat(parts, 1);
  const Tensor p = at::cat(probabilities, 0), w = at::cat(weights, 0);
  const auto experts = static_cast<double>(p.size(1));
  out.auxiliary = 0.3 * Entropy{}.of(p).mean() + 0.2 * experts * (w.mean(0) * p.mean(0)).sum();
  return out;
}

// Compares values, the auxiliary losses, and the gradients of both together.
void expect_equal_to_the_loop(const std::string& yaml, Phase phase,
                              const std::function<Tensor(const HandMadeLinear&, const Tensor&,
                                                         const std::string&, int64_t)>& drop) {
  HandMadeLinear made = attention_experts(yaml);
  const Tensor start = draw({9, 5}, 1, "x").to(at::kDouble);
  const Tensor weights = draw({9, 15}, 1, "weights").to(at::kDouble);
  const Tensor x = start.clone().requires_grad_(true), other = start.clone().requires_grad_(true);
  ForwardContext context = made.context(phase, 5);
  const Tensor y = made.forward(x, context);
  const Tensor auxiliary = made.attachment->auxiliary_sum(context);
  const Loop loop = expert_by_expert(
      made, other, yaml, [&](const std::string& m, int64_t e) { return drop(made, other, m, e); });
  EXPECT_CLOSE(y, loop.y, 1e-12);
  EXPECT_CLOSE(auxiliary, loop.auxiliary, 1e-12);
  ((y * weights).sum() + auxiliary).backward();
  ((loop.y * weights).sum() + loop.auxiliary).backward();
  EXPECT_CLOSE(x.grad(), other.grad(), 1e-12);
  EXPECT_EQ(loop.leaves.size(), made.attachment->trainables.segments().size());
  for (const auto& [name, leaf] : loop.leaves)
    EXPECT_CLOSE(made.gradient(name), leaf.grad(), 1e-12) << name;
}

Tensor undropped(const HandMadeLinear&, const Tensor& x, const std::string&, int64_t) {
  return x;
}
// The tracked product of x with the factors of a mask.
Tensor masked(const Tensor& x, const DropoutMask& mask) {
  return x * apply_mask(at::ones_like(x.detach()), mask);
}
DropoutMask mask_of(const std::string& site, const std::string& purpose) {
  Reducer alone;
  const SequenceLayout rows = rows_of({9});
  return ForwardContext(Phase::train, 7, 5, alone).mask(0.4, site, {}, purpose, rows);
}

TEST(Experts, StackedEqualTheLoopGradientsIncluded) {
  expect_equal_to_the_loop(kRecipe, Phase::train, undropped);
  std::string some = kRecipe;
  some.replace(some.find("query, key"), 10, "query");  // the key has no experts
  expect_equal_to_the_loop(some, Phase::train, undropped);
  std::string soft = kRecipe;
  const std::string selection = "{name: strict_top_p, p: 0.6, keep_top_k: 1}";
  soft.replace(soft.find(selection), selection.size(), "{name: all}");
  expect_equal_to_the_loop(soft, Phase::train, undropped);
}

// Ranks of 1, 4 and 2, each expert scaled by its own.
TEST(Experts, OfDifferentRanksEqualTheLoop) {
  const std::string yaml = kRecipe + "expert_ranks: [1, 4, 2]\n";
  expect_equal_to_the_loop(yaml, Phase::train, undropped);
  expect_equal_to_the_loop(
      yaml + "lora_dropout: 0.4\ndropout_mask: expert\n", Phase::train,
      [](const HandMadeLinear&, const Tensor& x, const std::string& member, int64_t e) {
        return masked(x, mask_of(member, "expert " + std::to_string(e)));
      });
  HandMadeLinear made = attention_experts(yaml);
  EXPECT_EQ(made.attachment->trainables.find("self.key.experts.1.lora_A.weight")->shape,
            (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(made.attachment->trainables.find("self.key.experts.2.lora_B.weight")->shape,
            (std::vector<int64_t>{4, 2}));
}

TEST(Experts, WithEqualExpertRanksEqualThoseWithOneRank) {
  HandMadeLinear one = attention_experts(kRecipe),
                 named = attention_experts(kRecipe + "expert_ranks: [2, 2, 2]\n");
  const Tensor x = draw({9, 5}, 1, "x").to(at::kDouble);
  EXPECT_SAME(named.forward(x), one.forward(x));
}

TEST(Experts, OneMaskForTheGroupEqualsTheLoop) {
  expect_equal_to_the_loop(
      kRecipe + "lora_dropout: 0.4\n", Phase::train,
      [](const HandMadeLinear& made, const Tensor& x, const std::string&, int64_t) {
        return masked(x, mask_of(made.group.site(), "experts"));
      });
  expect_equal_to_the_loop(kRecipe + "lora_dropout: 0.4\n", Phase::evaluate, undropped);
}

TEST(Experts, AMaskForEachExpertEqualsTheLoop) {
  const auto drop = [](const HandMadeLinear&, const Tensor& x, const std::string& member,
                       int64_t e) {
    return masked(x, mask_of(member, "expert " + std::to_string(e)));
  };
  expect_equal_to_the_loop(kRecipe + "lora_dropout: 0.4\ndropout_mask: expert\n", Phase::train,
                           drop);
  expect_equal_to_the_loop(kRecipe + "lora_dropout: 0.4\ndropout_mask: expert\n", Phase::evaluate,
                           undropped);
}

TEST(Experts, ARangeOfMembersGivesItsColumnsOfTheWhole) {
  for (const std::string targets : {"[query, key, value]", "[query, value]", "[value]"}) {
    HandMadeLinear made =
        attention_experts("target_modules: " + targets + "\nnum_experts: 3\nr: 2\n");
    const Tensor x = draw({7, 5}, 1, "x").to(at::kDouble).requires_grad_(true);
    const Tensor whole = made.forward(x);
    EXPECT_CLOSE(made.forward(x, {0, 1}), whole.narrow(1, 0, 6), 1e-12);
    EXPECT_CLOSE(made.forward(x, {1, 2}), whole.narrow(1, 6, 4), 1e-12);
    EXPECT_CLOSE(made.forward(x, {1, 3}), whole.narrow(1, 6, 9), 1e-12);
    const Tensor weights = draw({7, 9}, 1, "w").to(at::kDouble);
    const Tensor a = torch::autograd::grad({(whole.narrow(1, 6, 9) * weights).sum()}, {x})[0];
    const Tensor b = torch::autograd::grad({(made.forward(x, {1, 3}) * weights).sum()}, {x})[0];
    EXPECT_CLOSE(a, b, 1e-12);
  }
}

TEST(Experts, OutsideOfARangeGetNoGradients) {
  HandMadeLinear made = attention_experts("target_modules: [query, value]\nnum_experts: 3\nr: 2\n");
  made.forward(draw({7, 5}, 1, "x").to(at::kDouble), {1, 3}).sum().backward();
  for (const std::string name : {".experts.0.lora_A.weight", ".router.weight"}) {
    EXPECT_EQ(made.gradient("self.query" + name).abs().max().item<double>(), 0);
    EXPECT_GT(made.gradient("self.value" + name).abs().max().item<double>(), 0);
  }
}

TEST(Experts, ThatNoTokenSelectedGetExactlyNoGradientButTheirRouterDoes) {
  HandMadeLinear made({{Role::query, "q", 4}}, 5);
  made.attach_method(
      "mixture", "target_modules: [query]\nnum_experts: 3\nr: 2\nselection: {name: top_k, k: 1}\n");
  perturb(made.attachment->trainables, 0.7);
  made.set("q.router.weight", at::zeros({3, 5}));  // equal probabilities: expert 0
  made.forward(draw({7, 5}, 1, "x").to(at::kDouble)).sum().backward();
  EXPECT_GT(made.gradient("q.experts.0.lora_A.weight").abs().max().item<double>(), 0);
  for (const std::string name : {"q.experts.1.lora_A.weight", "q.experts.2.lora_B.weight"})
    EXPECT_EQ(made.gradient(name).abs().max().item<double>(), 0);
  EXPECT_GT(made.gradient("q.router.weight")[2].abs().max().item<double>(), 0);
}

// The first layer's input has no gradient, and an evaluation keeps no graph.
TEST(Experts, ComputeNoGradientThatIsNotNeeded) {
  HandMadeLinear made = attention_experts(kRecipe);
  const Tensor x = draw({7, 5}, 1, "x").to(at::kDouble);
  made.forward(x).sum().backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(made.group.weight.grad().defined());
  const at::NoGradGuard no_grad;
  EXPECT_FALSE(made.forward(x).requires_grad());
}

TEST(Experts, ARetainedGraphGivesTheSameGradientsTwice) {
  HandMadeLinear made = attention_experts(kRecipe);
  const Tensor x = draw({7, 5}, 1, "x").to(at::kDouble).requires_grad_(true);
  const Tensor y = made.forward(x).sum();
  const Tensor once = torch::autograd::grad({y}, {x}, {}, true)[0];
  EXPECT_SAME(torch::autograd::grad({y}, {x})[0], once);
}

TEST(Experts, AreBitwiseReproducible) {
  HandMadeLinear made = attention_experts(kRecipe + "lora_dropout: 0.3\n", at::kFloat);
  const Tensor x = draw({33, 5}, 1, "x");
  const auto run = [&] {
    made.attachment->trainables.zero_gradients();
    made.forward(x, Phase::train, 2).square().sum().backward();
    return made.attachment->trainables.gradients.clone();
  };
  const Tensor first = run();
  EXPECT_SAME(run(), first);
}

// A bfloat16 model keeps its adapters in fp32: routers compute in fp32, the rest in bfloat16.
TEST(Experts, OnABfloat16ModelAreCloseToFp32) {
  const std::string yaml =
      "target_modules: [query, key, value]\nnum_experts: 3\nr: 2\nselection: {name: all}\n";
  HandMadeLinear exact = attention_experts(yaml, at::kFloat);
  HandMadeLinear made(
      {{Role::query, "self.query", 6}, {Role::key, "self.key", 4}, {Role::value, "self.value", 5}},
      5, at::kFloat);
  made.group.weight = made.group.weight.to(at::kBFloat16);
  made.group.bias = made.group.bias.to(at::kBFloat16);
  made.attach_method("mixture", yaml);
  perturb(made.attachment->trainables, 0.7);
  EXPECT_EQ(made.attachment->trainables.values.scalar_type(), at::kFloat);
  const Tensor start = draw({9, 5}, 1, "x").to(at::kBFloat16);
  const Tensor x = start.clone().requires_grad_(true),
               y = start.to(at::kFloat).clone().requires_grad_(true);
  const Tensor ours = made.forward(x), reference = exact.forward(y);
  EXPECT_EQ(ours.scalar_type(), at::kBFloat16);
  const double size = reference.abs().max().item<double>();
  EXPECT_CLOSE(ours, reference, 2e-2 * size);
  ours.to(at::kFloat).sum().backward();
  reference.sum().backward();
  EXPECT_CLOSE(x.grad(), y.grad(), 2e-2 * y.grad().abs().max().item<double>());
  for (const Segment& s : made.attachment->trainables.segments()) {
    const Tensor expected = exact.gradient(s.name);
    EXPECT_CLOSE(made.gradient(s.name), expected, 3e-2 * expected.abs().max().item<double>() + 1e-3)
        << s.name;
  }
}

TEST(Experts, RecordTheirRoutingForCharts) {
  HandMadeLinear made({{Role::query, "q", 4}, {Role::key, "k", 4}}, 5);
  made.attach_method("mixture",
                     "target_modules: [query, key]\nnum_experts: 4\nr: 2\n"
                     "selection: {name: top_k, k: 1}\nentropy_switch: {threshold: 0.99}\n");
  const at::NoGradGuard no_grad;
  made.value("q.router.weight").zero_();  // equal probabilities: sent to all experts
  made.value("k.router.weight").zero_();
  made.value("k.router.weight")[2].fill_(50);
  RoutingRecord record;
  ForwardContext context = made.context();
  context.record = &record;
  made.forward(at::ones({3, 5}, at::kDouble), context);
  EXPECT_EQ(record.experts.at("q").tokens, 3);
  EXPECT_EQ(record.experts.at("q").all_experts, 3);
  EXPECT_NEAR(record.experts.at("q").entropy, 3, 1e-9);
  EXPECT_SAME(record.experts.at("q").load, matrix({{3, 3, 3, 3}})[0]);
  EXPECT_EQ(record.experts.at("k").all_experts, 0);
  EXPECT_NEAR(record.experts.at("k").entropy, 0, 1e-9);
  EXPECT_SAME(record.experts.at("k").load, matrix({{0, 0, 3, 0}})[0]);
}

}  // namespace
}  // namespace mixtune::test
