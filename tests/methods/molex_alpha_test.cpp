// MoLEx, the blend of two outputs: group C of the verification tests of its sheet, with their
// numbers, and the gradient paths from the task loss to the gate.
#include <cmath>

#include "support/hand_made_stack.h"

namespace mixtune::test {
namespace {

// Layers with constant outputs: only layer 0 is mixed, and the gate is forced to select layer 1.
Tensor blended(double own, double other, const std::string& alpha) {
  HandMadeStack made(1);
  made.add_constant(own);
  made.add_constant(other);
  made.attach_molex("layers_to_transform: '[0]'\nalpha: " + alpha);
  std::vector<Tensor> hidden;
  made.stack.hidden_states = &hidden;
  ForwardContext c = made.context();
  force(c, 0, {1});
  made.stack.forward(at::zeros({1, 1}, at::kDouble), rows_of({1}), c, nullptr);
  return hidden[1];
}

// 15
TEST(MolexAlpha, IsTheSoftmaxIfLearnedAndTheRawNumbersIfFixed) {
  const auto own_share = [](const std::string& alpha) {
    return blended(1, 0, alpha).item<double>();
  };
  EXPECT_NEAR(own_share("{kind: learned, main: 0.5, other: 0.5}"), 0.5, 1e-12);
  EXPECT_NEAR(own_share("{kind: learned, main: 0.95, other: 0.05}"), 0.7109495, 1e-7);
  EXPECT_NEAR(own_share("{main: 0.95, other: 0.05}"), 0.95, 1e-12);
  // Fixed weights need not sum to one: 0.7 * 1 + 0.6 * 10.
  EXPECT_NEAR(blended(1, 10, "{main: 0.7, other: 0.6}").item<double>(), 6.7, 1e-12);
}

TEST(MolexAlpha, ScalesALayerThatSelectsItselfByTheSumOfTheWeights) {
  HandMadeStack made(1);
  made.add_constant(3);
  made.attach_molex("control: self\nalpha: {main: 0.7, other: 0.6}");
  ForwardContext c = made.context();
  const Tensor out = made.stack.forward(at::zeros({1, 1}, at::kDouble), rows_of({1}), c, nullptr);
  EXPECT_NEAR(out.item<double>(), 3.9, 1e-12);
}

double loss_of(Attached& run, const std::vector<int64_t>& routing) {
  const at::NoGradGuard no_grad;
  ForwardContext c = run.context();
  force_all(c, routing);
  return at::cross_entropy_loss(run.model->logits(pack_examples({0, 1}), c),
                                at::tensor({0, 1}, at::kLong))
      .item<double>();
}

void backward(Attached& run, const std::vector<int64_t>& routing) {
  ForwardContext c = run.context();
  force_all(c, routing);
  run.trainables().zero_gradients();
  at::cross_entropy_loss(run.model->logits(pack_examples({0, 1}), c), at::tensor({0, 1}, at::kLong))
      .backward();
}

// 16
TEST(MolexAlpha, GradientEqualsFiniteDifferences) {
  Attached run(tiny_config("roberta"), "molex",
               "alpha: {kind: learned, main: 0.95, other: 0.05, sharing: per_layer}", at::kDouble);
  perturb(run.trainables());
  const std::vector<int64_t> routing = {2, 3, 0, 1};
  backward(run, routing);
  const double step = 1e-5;
  for (const Segment& s : run.trainables().segments()) {
    if (!s.name.starts_with("molex.alpha")) continue;
    const Tensor value = run.trainables().value_of(s);
    const at::NoGradGuard no_grad;
    value.add_(step);
    const double above = loss_of(run, routing);
    value.sub_(2 * step);
    const double below = loss_of(run, routing);
    value.add_(step);
    EXPECT_NEAR(run.gradient(s.name).item<double>(), (above - below) / (2 * step), 1e-8) << s.name;
  }
}

// 16
TEST(MolexAlpha, SharedGradientIsTheSumOfThoseOfTheLayers) {
  const std::string alpha = "alpha: {kind: learned, main: 0.95, other: 0.05, sharing: ";
  Attached shared(tiny_config("bert"), "molex", alpha + "shared}", at::kDouble);
  Attached single(tiny_config("bert"), "molex", alpha + "per_layer}", at::kDouble);
  backward(shared, {2, 3, 0, 1});
  backward(single, {2, 3, 0, 1});
  for (const std::string part : {"main", "other"}) {
    double sum = 0;
    for (int64_t t = 0; t < 4; ++t)
      sum += single.gradient("molex.alpha." + std::to_string(t) + "." + part).item<double>();
    EXPECT_NEAR(shared.gradient("molex.alpha." + part).item<double>(), sum, 1e-12);
    EXPECT_GT(std::abs(sum), 1e-5);
  }
  // d alpha / d main = - d alpha / d other
  EXPECT_NEAR(shared.gradient("molex.alpha.main").item<double>(),
              -shared.gradient("molex.alpha.other").item<double>(), 1e-12);
}

// Two layers, u_0 = 2 and u_1 = 5 for every input; one sequence with the scores (0, 0), (log 3, 0)
// is forced to select layer 1; weights 0.6 and 0.4. The output is 0.6 * 2 + 0.4 * 5 = 3.2 with
// every gate gradient.
struct GateCase {
  explicit GateCase(const std::string& rule, const std::string& vote = "sequence") : made(2) {
    made.add_constant(2);
    made.add_constant(5);
    made.attach_molex(
        "layers_to_transform: '[0]'\nbalance: 0\nalpha: {main: 0.6, other: 0.4}\nscope: " + vote +
        "\ngate: {gradient: " + rule + "}");
    made.score_is_input();
    made.stack.hidden_states = &hidden;
    z = at::tensor({0.0, 0.0, std::log(3.0), 0.0}, at::kDouble).view({2, 2}).requires_grad_(true);
  }
  // Layer 1 is constant, so the mixed output is read by making layer 0 the last one.
  Tensor forward() {
    made.stack.layers[1] = std::make_unique<FunctionLayer>([](const Tensor& x, const Call& call) {
      return call.path.use == Use::borrowed ? at::full_like(x, 5) : x;
    });
    ForwardContext c = made.context(Phase::train);
    force(c, 0, {1});
    return made.stack.forward(z, rows_of({2}), c, nullptr);  // [2, 2]
  }
  HandMadeStack made;
  std::vector<Tensor> hidden;
  Tensor z;
};

TEST(MolexGateGradient, LeavesTheValueUnchanged) {
  for (const std::string rule : {"none", "probability", "straight_through"})
    EXPECT_CLOSE(GateCase(rule).forward(), at::full({2, 2}, 3.2, at::kDouble), 1e-12) << rule;
}

// z' = a u_0 + o (p / stop(p)) u_1 with p the mean probability of layer 1: (1/2 + 1/4) / 2 = 3/8.
// d sum(z') / dp = 4 * o * 5 / p = 64 / 3; dp / ds[n][1] = p_n (1 - p_n) / 2 = 1/8 and 3/32;
// dp / ds[n][0] is minus that. The scores are the input, and the layers are constants.
TEST(MolexGateGradient, ProbabilityIsTheBlendTimesOneOverTheMeanProbability) {
  for (const std::string vote : {"sequence", "batch"}) {
    GateCase one("probability", vote);
    one.forward().sum().backward();
    const double g = 4 * 0.4 * 5 / 0.375;
    EXPECT_CLOSE(one.z.grad(),
                 at::tensor({-g / 8, g / 8, -g * 3 / 32, g * 3 / 32}, at::kDouble).view({2, 2}),
                 1e-12);
  }
}

// z' = a u_0 + o (u_1 + (c - stop(c)) (u_1 - u_0)), c = sigmoid(s_1 - s_0) of the mean scores:
// sigmoid(-log(3) / 2) = 1 / (1 + sqrt 3). d sum / dc = 4 * 0.4 * 3; dc / ds[n][1] = c (1 - c) / 2.
TEST(MolexGateGradient, StraightThroughIsTheBlendTimesTheDifferenceOfTheLayers) {
  GateCase one("straight_through");
  one.forward().sum().backward();
  const double c = 1 / (1 + std::sqrt(3.0)), g = 4 * 0.4 * 3 * c * (1 - c) / 2;
  EXPECT_CLOSE(one.z.grad(), at::tensor({-g, g, -g, g}, at::kDouble).view({2, 2}), 1e-12);
}

TEST(MolexGateGradient, NoneGivesNone) {
  GateCase one("none");
  EXPECT_FALSE(one.forward().requires_grad());
}

// The gate of a model, compared with finite differences of the surrogate, in which stop(p) keeps
// its value.
TEST(MolexGateGradient, OfAModelEqualsFiniteDifferencesOfTheSurrogate) {
  Attached run(tiny_config("bert", 2), "molex",
               "layers_to_transform: '[1]'\nbalance: 0\ngate: {gradient: probability}\n"
               "alpha: {main: 0.5, other: 0.5}",
               at::kDouble);
  perturb(run.trainables());
  const PackedBatch batch = pack_examples({0, 1});
  ForwardContext c = run.context();
  force(c, 1, {0});
  std::vector<Tensor> hidden;
  run.stack().hidden_states = &hidden;
  const Tensor weights = draw({batch.rows.tokens(), 16}, 1, "weights").to(at::kDouble);
  (run.model->last_hidden_state(batch, c) * weights).sum().backward();
  const Tensor gradient = run.gradient("molex.gate.weight").clone();
  const at::NoGradGuard no_grad;
  const Tensor z = hidden[1],
               gate = run.trainables().value_of(*run.trainables().find("molex.gate.weight"));
  ForwardContext again = run.context();
  const Tensor borrowed = run.stack().layers[0]->forward(z, Call{batch.rows, own_path(0), again});
  const auto mean_probability = [&] {
    const Tensor p =
        at::softmax(at::mm(z, gate.t()) +
                        run.trainables().value_of(*run.trainables().find("molex.gate.bias")),
                    1)
            .select(1, 0);
    const int64_t cut = batch.rows.offsets[1];
    return at::stack({p.narrow(0, 0, cut).mean(), p.narrow(0, cut, p.size(0) - cut).mean()});
  };
  const Tensor p0 = mean_probability();
  const auto surrogate = [&] {
    const Tensor factor = (mean_probability() / p0).index_select(0, batch.rows.sequence_of_row());
    return (0.5 * factor.unsqueeze(1) * borrowed * weights).sum().item<double>();
  };
  const double step = 1e-6;
  for (int64_t i = 0; i < gate.numel(); ++i) {
    const Tensor entry = gate.view({-1})[i];
    entry.add_(step);
    const double above = surrogate();
    entry.sub_(2 * step);
    const double below = surrogate();
    entry.add_(step);
    EXPECT_NEAR(gradient.view({-1})[i].item<double>(), (above - below) / (2 * step), 1e-7);
  }
  EXPECT_GT(gradient.abs().max().item<double>(), 1e-3);
}

}  // namespace
}  // namespace mixtune::test
