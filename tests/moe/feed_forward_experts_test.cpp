// Feed-forward experts compared with the loop over experts that they replace, and the small parts
// of their routing: capacity, jitter, z-loss.
#include <cmath>

#include "moe/capacity.h"
#include "moe/loss/router_loss.h"
#include "moe/merge.h"
#include "moe/noise.h"
#include "support/hand_made_feed_forward.h"

namespace mixtune::test {
namespace {

using Leaves = std::map<std::string, Tensor>;

// The weights of each token's experts from probabilities [T, E], in plain loops.
using Rule = std::function<Tensor(const Tensor&)>;

Tensor best(const Tensor& probabilities, int64_t k, bool renormalizes) {
  const Tensor mask = at::zeros_like(probabilities.detach());
  for (int64_t t = 0; t < mask.size(0); ++t)
    for (int64_t n = 0; n < k; ++n) {
      const Tensor left = probabilities[t].detach() - 2 * mask[t];
      mask[t][left.argmax().item<int64_t>()] = 1;
    }
  const Tensor weights = probabilities * mask;
  return renormalizes ? weights / weights.sum(1, true) : weights;
}

Tensor top_p(const Tensor& probabilities, double p) {
  const Tensor mask = at::zeros_like(probabilities.detach());
  for (int64_t t = 0; t < mask.size(0); ++t)
    while ((probabilities[t].detach() * mask[t]).sum().item<double>() < p) {
      const Tensor left = probabilities[t].detach() - 2 * mask[t];
      mask[t][left.argmax().item<int64_t>()] = 1;
    }
  return probabilities * mask;
}

// Runs expert after expert, each a whole feed-forward with its own weights W + scaling B A. With
// masks, the updates read masked inputs.
struct FeedForwardLoop {
  const HandMadeFeedForward& made;
  int64_t experts;
  double scaling;
  std::string activation;
  Tensor mask = {}, inner_mask = {};  // factors, or undefined
  Leaves leaves = {};

  Tensor leaf(const std::string& name) {
    if (!leaves.contains(name)) leaves[name] = made.value(name).clone().requires_grad_(true);
    return leaves.at(name);
  }
  Tensor linear(const LinearGroup& group, size_t member, int64_t e, const Tensor& x,
                const Tensor& factors) {
    const std::string name =
        group.members()[member].name + ".experts." + std::to_string(e) + ".lora_";
    const Tensor dropped = factors.defined() ? x * factors : x;
    const Tensor shrink = at::mm(dropped, leaf(name + "A.weight").t());
    return at::linear(x, group.weight_of({member, member + 1}),
                      group.bias_of({member, member + 1})) +
           scaling * at::mm(shrink, leaf(name + "B.weight").t());
  }
  Tensor expert(int64_t e, const Tensor& x) {
    Tensor h = activate(linear(made.base.up, 0, e, x, mask), activation);
    if (made.base.is_gated()) h = h * linear(made.base.up, 1, e, x, mask);
    return linear(made.base.down, 0, e, h, inner_mask);
  }
  Tensor weights(const Tensor& x, const Rule& rule) {
    return rule(at::softmax(at::linear(x, leaf("mlp.router.weight")), 1));
  }
  Tensor mix(const Tensor& x, const Tensor& weights) {
    Tensor y = at::zeros_like(x);
    for (int64_t e = 0; e < experts; ++e) y = y + weights.narrow(1, e, 1) * expert(e, x);
    return y;
  }
};

void compare_gradients(const HandMadeFeedForward& made, const Tensor& y, const Tensor& expected,
                       const Tensor& x, const Tensor& other, const Leaves& leaves) {
  EXPECT_CLOSE(y, expected, tight(expected));
  const Tensor weights = draw(y.sizes(), 1, "weights").to(at::kDouble);
  (y * weights).sum().backward();
  (expected * weights).sum().backward();
  EXPECT_CLOSE(x.grad(), other.grad(), tight(other.grad()));
  for (const auto& [name, leaf] : leaves) {
    const Tensor gradient =
        leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf);  // an expert without tokens
    EXPECT_CLOSE(made.gradient(name), gradient, tight(gradient)) << name;
  }
}

TEST(FeedForwardExperts, EqualTheLoopOverExpertsGradientsIncluded) {
  const FeedForwardShape shapes[] = {{.gated = true, .biased = true, .activation = "silu"},
                                     {.gated = true, .activation = "gelu_pytorch_tanh"},
                                     {.gated = false, .activation = "gelu"},
                                     {.gated = false, .biased = false, .activation = "relu"}};
  const std::pair<std::string, Rule> rules[] = {
      {"", [](const Tensor& p) { return best(p, 2, true); }},
      {"top_k: 1", [](const Tensor& p) { return best(p, 1, true); }},
      {"routing: dynamic\ntop_p: 0.6", [](const Tensor& p) { return top_p(p, 0.6); }},
      {"routing: switch", [](const Tensor& p) { return best(p, 1, false); }}};
  for (const FeedForwardShape& shape : shapes) {
    for (const auto& [yaml, rule] : rules) {
      SCOPED_TRACE(shape.activation + " " + yaml);
      HandMadeFeedForward made(shape);
      made.attach_method(
          "mixlora", "num_experts: 4\nr: 2\nlora_alpha: 3\nattention_target_modules: []\n" + yaml);
      perturb(made.attachment->trainables, 0.7);
      const SequenceLayout rows = rows_of({4, 7});
      const Tensor start = draw({11, shape.width}, 1, "x").to(at::kDouble);
      const Tensor x = start.clone().requires_grad_(true);
      const Tensor other = start.clone().requires_grad_(true);
      ForwardContext context = made.context();
      FeedForwardLoop loop{made, 4, 1.5, shape.activation};
      const Tensor expected = loop.mix(other, loop.weights(other, rule));
      compare_gradients(made, made.forward(x, rows, context), expected, x, other, loop.leaves);
    }
  }
}

TEST(FeedForwardExperts, SinglePrecisionKernelsGiveTheSameResult) {
  HandMadeFeedForward made({.width = 24, .inner = 40}, at::kFloat);
  made.attach_method("mixlora", "num_experts: 4\nr: 2\nattention_target_modules: []");
  perturb(made.attachment->trainables, 0.3);
  const Tensor x = draw({33, 24}, 1, "x").requires_grad_(true), other = x.detach().clone();
  ForwardContext context = made.context();
  FeedForwardLoop loop{made, 4, 16, "silu"};
  other.requires_grad_(true);
  const Tensor y = made.forward(x, rows_of({20, 13}), context);
  const Tensor expected =
      loop.mix(other, loop.weights(other, [](const Tensor& p) { return best(p, 2, true); }));
  EXPECT_CLOSE(y, expected, 1e-5 * expected.abs().max().item<double>());
  y.square().sum().backward();
  expected.square().sum().backward();
  EXPECT_CLOSE(x.grad(), other.grad(), 1e-5 * other.grad().abs().max().item<double>());
  for (const auto& [name, leaf] : loop.leaves)
    EXPECT_CLOSE(made.gradient(name), leaf.grad(), 1e-5 * leaf.grad().abs().max().item<double>())
        << name;
}

// All experts share one mask on x and one mask on the input of `down`.
TEST(FeedForwardExperts, DropoutAppliesToTheUpdatesAlone) {
  HandMadeFeedForward made({});
  made.attach_method(
      "mixlora",
      "num_experts: 3\nr: 2\nlora_alpha: 3\nlora_dropout: 0.4\nattention_target_modules: []");
  perturb(made.attachment->trainables, 0.7);
  const SequenceLayout rows = rows_of({4, 7});
  const Tensor x = draw({11, 6}, 1, "x").to(at::kDouble).requires_grad_(true);
  const Tensor other = x.detach().clone().requires_grad_(true);
  ForwardContext context = made.context(Phase::train, 5);
  const auto factors = [&](int64_t width, const std::string& purpose) {
    return apply_mask(at::ones({11, width}, at::kDouble),
                      context.mask(0.4, "mlp", {}, purpose, rows));
  };
  FeedForwardLoop loop{made, 3, 1.5, "silu", factors(6, "experts"), factors(10, "experts inner")};
  const Tensor expected =
      loop.mix(other, loop.weights(other, [](const Tensor& p) { return best(p, 2, true); }));
  compare_gradients(made, made.forward(x, rows, context), expected, x, other, loop.leaves);
}

// With a capacity of one token per sequence, the others pass through with their probability as the
// weight. Inference has no limit.
TEST(FeedForwardExperts, TokensBeyondTheCapacityPassThroughOnlyInTraining) {
  HandMadeFeedForward made({});
  made.attach_method(
      "mixlora",
      "num_experts: 2\nr: 2\nlora_alpha: 3\nlora_dropout: 0\nrouting: switch\ncapacity: 1\n"
      "jitter_noise: 0\nattention_target_modules: []");
  perturb(made.attachment->trainables, 0.7);
  const SequenceLayout rows = rows_of({4, 7});
  const Tensor x = draw({11, 6}, 1, "x").to(at::kDouble).requires_grad_(true);
  const Tensor other = x.detach().clone().requires_grad_(true);
  FeedForwardLoop loop{made, 2, 1.5, "silu"};
  const Tensor weights =
      loop.weights(other, [](const Tensor& p) { return best(p, 1, false); });  // [T, E]
  const Tensor taken = at::zeros_like(weights.detach());
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 4}, {4, 11}})
    for (int64_t e = 0; e < 2; ++e)
      for (int64_t t = begin; t < end; ++t)
        if (weights[t][e].item<double>() > 0) {
          taken[t][e] = 1;
          break;
        }
  const Tensor passed = (weights * (1 - taken)).sum(1, true);
  EXPECT_GT(passed.max().item<double>(), 0);
  const Tensor expected = loop.mix(other, weights * taken) + passed * other;
  ForwardContext context = made.context(Phase::train), reading = made.context();
  EXPECT_CLOSE(made.forward(x.detach(), rows, reading), loop.mix(other, weights), 1e-10);
  compare_gradients(made, made.forward(x, rows, context), expected, x, other, loop.leaves);
}

TEST(FeedForwardExperts, WithoutUpdatesEqualTheBase) {
  HandMadeFeedForward made({});
  const Tensor x = draw({11, 6}, 1, "x").to(at::kDouble);
  const SequenceLayout rows = rows_of({11});
  Reducer alone;
  ForwardContext context(Phase::evaluate, 7, 0, alone);
  const Tensor base = made.base.base(x, Call{rows, {}, context});
  made.attach_method("mixlora", "attention_target_modules: []");
  ForwardContext mixing = made.context();
  EXPECT_CLOSE(made.forward(x, rows, mixing), base, tight(base));
}

TEST(FeedForwardExperts, DoNotMerge) {
  HandMadeFeedForward made({});
  made.attach_method("mixlora", "attention_target_modules: []");
  EXPECT_THROW(merge_adapters(made.sites), UserError);
}

TEST(Capacity, CountsTheTokensOfEachSequenceInOrder) {
  const Tensor mask = at::tensor({1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0}).view({4, 2});
  const Tensor kept = at::tensor({1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0}).view({4, 2});
  EXPECT_SAME(within_capacity(mask, rows_of({3, 1}), 1), kept);
  EXPECT_SAME(within_capacity(mask, rows_of({3, 1}), 2), mask);
}

TEST(Jitter, StaysInItsBoundsAndDependsOnlyOnExampleTokenAndStep) {
  const SequenceLayout two = rows_of({3, 5}, {4, 9}), one = rows_of({5}, {9});
  const auto factors = [](const SequenceLayout& rows, uint32_t step) {
    return jittered(at::ones({rows.tokens(), 500}), 0.1,
                    DropoutMask{1, 77, step, rows.example, rows.token});
  };
  const Tensor f = factors(two, 3);
  EXPECT_GE(f.min().item<float>(), 0.9f);
  EXPECT_LE(f.max().item<float>(), 1.1f);
  EXPECT_NEAR(f.mean().item<double>(), 1, 0.005);
  EXPECT_NEAR(f.std().item<double>(), 0.2 / std::sqrt(12), 0.003);
  EXPECT_SAME(factors(one, 3), f.narrow(0, 3, 5));
  EXPECT_FALSE(at::equal(factors(one, 4), f.narrow(0, 3, 5)));
}

// Logits (0, 0) and (ln 3, 0): the mean of (ln 2)^2 and (ln 4)^2.
TEST(ZLoss, IsTheMeanSquareOfTheLogOfTheSum) {
  const auto z = router_losses().get("z", "test", "loss").make(*router_loss_choices().make("z"));
  Routed routed;
  routed.logits = at::tensor({0.0, 0.0, std::log(3.0), 0.0}).view({2, 2});
  const double expected = (std::pow(std::log(2), 2) + std::pow(std::log(4), 2)) / 2;
  EXPECT_NEAR(z->finalize(z->accumulate(routed, {rows_of({2}), {}, 1}), 2).item<double>(), expected,
              1e-12);
}

}  // namespace
}  // namespace mixtune::test
