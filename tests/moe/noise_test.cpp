// Router noise: its random numbers, the inputs and scores to which it applies, and its absence
// outside training.
#include "moe/noise.h"

#include <cmath>
#include <numbers>

#include "moe/capacity.h"
#include "support/hand_made_feed_forward.h"
#include "support/routers.h"

namespace mixtune::test {
namespace {

DropoutMask draws(const SequenceLayout& rows, uint32_t step) {
  return {1, 77, step, rows.example, rows.token};
}

// Box-Muller on the words of a Philox block, two words for two experts; the fifth expert uses the
// next block.
TEST(Noise, IsBoxMullerOnTheCountersOfExampleTokenAndStep) {
  const SequenceLayout rows = rows_of({3}, {4});
  const Tensor scores = at::arange(15, at::kDouble).view({3, 5});
  const Tensor z = (noisy(scores, 0.5, draws(rows, 6)) - scores) / 0.5;  // [3, 5]
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t e = 0; e < 5; ++e) {
      const PhiloxBlock layer = philox(77, e / 4, static_cast<uint32_t>(t), 4, 6);
      const auto share = [&](int64_t word) { return (layer.word[word] + 0.5) / std::pow(2.0, 32); };
      const int64_t first = e % 4 < 2 ? 0 : 2;
      const double angle = 2 * std::numbers::pi * share(first + 1);
      const double expected =
          std::sqrt(-2 * std::log(share(first))) * (e % 2 == 0 ? std::cos(angle) : std::sin(angle));
      EXPECT_NEAR(z[t][e].item<double>(), expected, 1e-6) << t << " " << e;
    }
}

TEST(Noise, IsStandardNormalAndIndependentOfPacking) {
  const SequenceLayout two = rows_of({300, 500}, {4, 9}), one = rows_of({500}, {9});
  const auto noise = [](const SequenceLayout& rows, uint32_t step) {
    return noisy(at::zeros({rows.tokens(), 40}), 2, draws(rows, step));
  };
  const Tensor n =
      noise(two, 3);  // 32,000 numbers: the mean is within 0.011 of 0 in the usual case
  EXPECT_NEAR(n.mean().item<double>(), 0, 0.05);
  EXPECT_NEAR(n.std().item<double>(), 2, 0.05);
  EXPECT_SAME(noise(one, 3), n.narrow(0, 300, 500));
  EXPECT_FALSE(at::equal(noise(one, 4), n.narrow(0, 300, 500)));
}

HandMadeLinear noisy_linears(const std::string& router) {
  HandMadeLinear made({{Role::query, "self.query", 6}, {Role::key, "self.key", 4}}, 5);
  made.attach_method("mixture",
                     "target_modules: [query, key]\nnum_experts: 3\nr: 2\nlora_alpha: 3\nrouter: " +
                         router + "\nselection: {name: top_k, k: 2}\n");
  perturb(made.attachment->trainables, 0.7);
  return made;
}

// W x + sum_i g_i 3/2 B_i A_i x for the members one by one, with the top two of softmax(scores).
Tensor mixed_by_hand(const HandMadeLinear& made, const Tensor& x,
                     const std::function<Tensor(const std::string&, const Tensor&)>& scores,
                     std::map<std::string, Tensor>& leaves) {
  const auto leaf = [&](const std::string& name) {
    return leaves[name] = made.value(name).clone().requires_grad_(true);
  };
  std::vector<Tensor> parts;
  for (size_t m = 0; m < 2; ++m) {
    const std::string name = made.group.members()[m].name;
    const Tensor p = at::softmax(scores(name, leaf(name + ".router.weight")), 1);
    const Tensor worst = std::get<0>(p.detach().min(1, true));
    const Tensor g = p * (p.detach() > worst);
    Tensor part = made.group.base(x, {m, m + 1});
    for (int64_t e = 0; e < 3; ++e) {
      const std::string expert = name + ".experts." + std::to_string(e) + ".lora_";
      part = part +
             g.narrow(1, e, 1) * 1.5 *
                 at::mm(at::mm(x, leaf(expert + "A.weight").t()), leaf(expert + "B.weight").t());
    }
    parts.push_back(part);
  }
  return at::cat(parts, 1);
}

void expect_routed_by(
    const std::string& router,
    const std::function<Tensor(const ForwardContext&, const HandMadeLinear&, const Tensor&,
                               const std::string&, const Tensor&, const SequenceLayout&)>& scores) {
  HandMadeLinear made = noisy_linears(router);
  const SequenceLayout rows = rows_of({9});
  const Tensor x = draw({9, 5}, 1, "x").to(at::kDouble).requires_grad_(true);
  const Tensor other = x.detach().clone().requires_grad_(true);
  for (const Phase phase : {Phase::train, Phase::evaluate}) {
    made.attachment->trainables.zero_gradients();
    ForwardContext context = made.context(phase, 5);
    std::map<std::string, Tensor> leaves;
    const Tensor expected = mixed_by_hand(
        made, other,
        [&](const std::string& member, const Tensor& weight) {
          if (phase == Phase::evaluate) return at::mm(other, weight.t());
          return scores(context, made, other, member, weight, rows);
        },
        leaves);
    const Tensor y = made.forward(x, context), weights = draw({9, 10}, 1, "w").to(at::kDouble);
    EXPECT_CLOSE(y, expected, tight(expected));
    const Tensor dx = torch::autograd::grad({(expected * weights).sum()}, {other}, {}, true)[0];
    (expected * weights).sum().backward();
    x.mutable_grad() = Tensor();
    (y * weights).sum().backward();
    EXPECT_CLOSE(x.grad(), dx, tight(dx));
    for (const auto& [name, leaf] : leaves)
      EXPECT_CLOSE(made.gradient(name), leaf.grad(), tight(leaf.grad())) << name;
  }
}

TEST(Noise, AppliesToTheScoresOfEachLinearInTraining) {
  expect_routed_by("{noise: 1.5}", [](const ForwardContext& context, const HandMadeLinear&,
                                      const Tensor& x, const std::string& member,
                                      const Tensor& weight, const SequenceLayout& rows) {
    return noisy(at::mm(x, weight.t()), 1.5, context.mask(1, member, {}, "router noise", rows));
  });
}

TEST(Noise, JitterAppliesToTheInputOfTheRoutersOfAGroupInTraining) {
  expect_routed_by("{jitter_noise: 0.5}",
                   [](const ForwardContext& context, const HandMadeLinear& made, const Tensor& x,
                      const std::string&, const Tensor& weight, const SequenceLayout& rows) {
                     const Tensor read = jittered(
                         x, 0.5, context.mask(1, made.group.site(), {}, "router jitter", rows));
                     return at::mm(read, weight.t());
                   });
}

TEST(Noise, AppliesToTheRouterOfAFeedForwardOnlyInTraining) {
  const auto output = [](const std::string& router, Phase phase) {
    HandMadeFeedForward made({});
    made.attach_method(
        "mixture", "site: feed_forward\nnum_experts: 3\nr: 2\nrouter: {init: normal, " + router +
                       "}\nselection: {name: all}\n");
    perturb(made.attachment->trainables, 0.7);
    ForwardContext context = made.context(phase, 5);
    return made.forward(draw({11, 6}, 1, "x").to(at::kDouble), rows_of({11}), context);
  };
  const Tensor plain = output("noise: 0", Phase::train);
  EXPECT_FALSE(at::equal(output("noise: 1", Phase::train), plain));
  EXPECT_SAME(output("noise: 1", Phase::evaluate), output("noise: 0", Phase::evaluate));
  EXPECT_FALSE(at::equal(output("jitter_noise: 0.5", Phase::train), plain));
  EXPECT_SAME(output("jitter_noise: 0.5", Phase::evaluate),
              output("jitter_noise: 0", Phase::evaluate));
}

// With a capacity of one token per sequence, later tokens get only the base output. All tokens are
// equal.
TEST(Noise, TokensBeyondTheCapacityOfLinearExpertsGetTheBaseOnlyInTraining) {
  HandMadeLinear made({{Role::query, "q", 4}}, 5);
  made.attach_method(
      "mixture",
      "target_modules: [query]\nnum_experts: 2\nr: 2\ncapacity: 1\nselection: {name: all}\n");
  perturb(made.attachment->trainables, 0.7);
  const Tensor x = draw({1, 5}, 1, "x").to(at::kDouble).expand({3, 5}).contiguous();
  const Tensor base = made.group.base(x, {0, 1}), all = made.forward(x, Phase::evaluate),
               some = made.forward(x, Phase::train);
  EXPECT_GT((all - base).abs().max().item<double>(), 0.01);
  EXPECT_CLOSE(some[0], all[0], 1e-12);
  EXPECT_CLOSE(some.narrow(0, 1, 2), base.narrow(0, 1, 2), 1e-12);
}

}  // namespace
}  // namespace mixtune::test
