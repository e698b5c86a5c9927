// MoLEx, gate and load-balancing loss: group D of the verification tests of its sheet, with their
// numbers. The cosine gate (23) is tested in tests/moe/gate_test.cpp, the logit gradient (21) also
// in
// tests/moe/balance_test.cpp.
#include "support/hand_made_stack.h"

namespace mixtune::test {
namespace {

Tensor labels() {
  return at::tensor({0, 1, 1}, at::kLong);
}

// 17
TEST(MolexGate, WithoutAGradientPathIsABufferThatDoesNotDecay) {
  Attached run(tiny_config("roberta"), "molex", "balance: 0\ngate: {weight_decay: 0.1}");
  std::vector<Tensor> before;
  ASSERT_EQ(run.attachment->buffers.size(), 2u);
  for (const FrozenBuffer& buffer : run.attachment->buffers) {
    EXPECT_TRUE(buffer.name.starts_with("molex.gate.")) << buffer.name;
    EXPECT_FALSE(buffer.tensor->requires_grad());
    before.push_back(buffer.tensor->clone());
  }
  for (const Segment& s : run.trainables().segments()) EXPECT_NE(s.group, "gate") << s.name;
  ForwardContext c = run.context(Phase::train);
  at::cross_entropy_loss(run.model->logits(pack_examples({0, 1, 2}), c), labels()).backward();
  const at::NoGradGuard no_grad;
  run.trainables().values.mul_(1 - 0.1 * 0.1).sub_(run.trainables().gradients, 0.1);
  for (size_t i = 0; i < before.size(); ++i)
    EXPECT_SAME(*run.attachment->buffers[i].tensor, before[i]);
  // Files contain it nevertheless.
  const auto state = run.attachment->state();
  EXPECT_TRUE(std::any_of(state.begin(), state.end(),
                          [](const auto& entry) { return entry.first == "molex.gate.weight"; }));
}

// 18. The balance loss alone, without the task loss: it reaches the hidden states through the
// gate's input. Layer 3's LoRA comes after the last gate, so only earlier layers have a gradient.
TEST(MolexBalance, ReachesEarlierLayersThroughTheGatesInputUnlessDetached) {
  for (const bool detached : {false, true}) {
    Attached run(tiny_config("bert"), "molex",
                 std::string("scope: batch\ncontrol: none\ngate: {detach_input: ") +
                     (detached ? "true}" : "false}"));
    perturb(run.trainables());
    ForwardContext c = run.context(Phase::train);
    force_all(c, {0, 1, 2, 3});
    run.model->logits(pack_examples({0, 1, 2}), c);
    run.attachment->auxiliary_sum(c).backward();
    for (const int64_t layer : {0, 1, 2, 3}) {
      const Tensor g = run.gradient("bert.encoder.layer." + std::to_string(layer) +
                                    ".attention.self.value.lora_B.weight");
      const double largest = g.abs().max().item<double>();
      if (detached || layer == 3)
        EXPECT_EQ(largest, 0) << layer;
      else
        EXPECT_GT(largest, 0) << layer;
    }
    EXPECT_GT(run.gradient("molex.gate.weight").abs().max().item<double>(), 0);
  }
}

// 19
TEST(MolexGate, HasNoGradientFromTheTask) {
  Attached run(tiny_config("roberta"), "molex", "balance: 0.01");
  perturb(run.trainables());
  ForwardContext c = run.context(Phase::train);
  at::cross_entropy_loss(run.model->logits(pack_examples({0, 1, 2}), c), labels()).backward();
  EXPECT_EQ(run.gradient("molex.gate.weight").abs().max().item<double>(), 0);
  EXPECT_EQ(run.gradient("molex.gate.bias").abs().max().item<double>(), 0);
  EXPECT_TRUE(std::isfinite(run.attachment->auxiliary_sum(c).item<double>()));
}

double balance_of(HandMadeStack& made, const Tensor& z, const std::vector<int64_t>& lengths) {
  ForwardContext c = made.context();
  made.stack.forward(z, rows_of(lengths), c, nullptr);
  return made.attachment->auxiliary(c).at(0).second.item<double>();
}

// 20. With identity layers the gate's input, and so the scores, are the same at all layers.
TEST(MolexBalance, IsTheNumberOfMixedLayersForAUniformGateAndLTimesThatForASaturatedOne) {
  for (const std::string vote : {"batch", "sequence"}) {
    HandMadeStack made(4);
    for (int n = 0; n < 4; ++n) made.add_identity();
    made.attach_molex("layers_to_transform: 3\nscope: " + vote);
    made.score_is_input();
    EXPECT_NEAR(balance_of(made, at::zeros({5, 4}, at::kDouble), {2, 3}), 3, 1e-12);
    EXPECT_NEAR(balance_of(made, 1000 * votes_for({2, 2, 2, 2, 2}, 4), {2, 3}), 3 * 4, 1e-9);
  }
}

// With one vote per sequence f is a fraction of sequences: two for layer 0, one for layer 1, so f =
// (2/3, 1/3). With scores (log 3, 0) or (0, log 3) a token's probabilities are (3/4, 1/4) or the
// reverse; three of four tokens prefer layer 0, P = (3 * 3/4 + 1/4, ...) / 4 = (5/8, 3/8); l = 2 *
// (2/3 * 5/8 + 1/3 * 3/8) = 13/12.
TEST(MolexBalance, UnderSequenceVotesCountsSequences) {
  HandMadeStack made(2);
  for (int n = 0; n < 2; ++n) made.add_identity();
  made.attach_molex("layers_to_transform: '[0]'");
  made.score_is_input();
  const Tensor z = std::log(3.0) * votes_for({0, 0, 0, 1}, 2);
  EXPECT_NEAR(balance_of(made, z, {2, 1, 1}), 13.0 / 12, 1e-12);
}

// 22
TEST(MolexBalance, AStepDownLowersTheProbabilityOfTheSelectedLayer) {
  Attached run(tiny_config("bert"), "molex", "scope: batch\nlayers_to_transform: '[0]'");
  const PackedBatch batch = pack_examples({0, 1, 2});
  const auto probability = [&](int64_t layer) {
    const at::NoGradGuard no_grad;
    ForwardContext c = run.context();
    RoutingRecord record;
    record.keeps_probabilities = true;
    c.record = &record;
    run.model->logits(batch, c);
    return record.probabilities.at(0).select(1, layer).mean().item<double>();
  };
  ForwardContext c = run.context(Phase::train);
  run.model->logits(batch, c);
  const int64_t chosen = decision(c, 0).at(0);
  const double before = probability(chosen);
  run.attachment->auxiliary_sum(c).backward();
  const at::NoGradGuard no_grad;
  run.trainables().values.sub_(run.trainables().gradients, 1.0);
  EXPECT_LT(probability(chosen), before);
}

// 24. The authors' code divides by a counter that stays zero for layers that are not mixed.
TEST(MolexBalance, StaysFiniteIfSomeLayersAreNotMixed) {
  for (const std::string sharing : {"shared", "per_layer"}) {
    Attached run(tiny_config("roberta"), "molex",
                 "layers_to_transform: 2\nscope: batch\ngate: {sharing: " + sharing + "}");
    ForwardContext c = run.context(Phase::train);
    const Tensor loss =
        at::cross_entropy_loss(run.model->logits(pack_examples({0, 1, 2}), c), labels());
    const Tensor total = loss + run.attachment->auxiliary_sum(c);
    EXPECT_TRUE(std::isfinite(total.item<double>()));
    total.backward();
    EXPECT_TRUE(run.trainables().gradients.isfinite().all().item<bool>());
  }
}

TEST(MolexBalance, CountsALayerThatSelectsItselfLikeTheAuthorsCode) {
  // Skipping the second run of a layer must not change the loss.
  const auto loss = [](const std::string& compat) {
    Attached run(tiny_config("bert"), "molex", "scope: batch\ncompat: " + compat, at::kDouble);
    ForwardContext c = run.context();
    force_all(c, {0, 1, 2, 3});
    run.model->logits(pack_examples({0, 1, 2}), c);
    return run.attachment->auxiliary_sum(c).item<double>();
  };
  EXPECT_NEAR(loss("none"), loss("reference"), 1e-12);
}

}  // namespace
}  // namespace mixtune::test
