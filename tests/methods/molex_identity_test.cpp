// MoLEx, identities: group A of the verification tests of its sheet, with their numbers.
#include "support/hand_made_stack.h"

namespace mixtune::test {
namespace {

constexpr const char* kLora = "r: 2, lora_alpha: 4";

std::string over_lora(const std::string& rest) {
  return std::string("over: {name: lora, ") + kLora + "}\n" + rest;
}

std::string lora_alone() {
  return std::string("{") + kLora + "}";
}

class MolexIdentity : public testing::TestWithParam<const char*> {
 protected:
  ModelConfig config() const { return tiny_config(GetParam()); }
  PackedBatch batch() const { return pack_examples({0, 1, 2}); }
};

INSTANTIATE_TEST_SUITE_P(Models, MolexIdentity, testing::Values("bert", "roberta"),
                         [](const auto& info) { return std::string(info.param); });

// The gradients of the LoRA of a run, by name.
std::map<std::string, Tensor> lora_gradients(Attached& run, const Tensor& logits) {
  at::cross_entropy_loss(logits, at::tensor({0, 1, 1}, at::kLong)).backward();
  std::map<std::string, Tensor> out;
  for (const Segment& s : run.trainables().segments())
    if (s.group == "adapter") out[s.name] = run.trainables().gradient_of(s);
  return out;
}

// 1, 7
TEST_P(MolexIdentity, NoMixedLayerIsLoraBitForBit) {
  Attached lora(config(), "lora", lora_alone()),
      molex(config(), "molex", over_lora("layers_to_transform: '[]'"));
  perturb(lora.trainables());
  perturb(molex.trainables());
  EXPECT_SAME(molex.logits(batch()), lora.logits(batch()));
}

// 2
TEST_P(MolexIdentity, AlphaOneAndZeroIsLoraForAnyRoutingGradientsIncluded) {
  Attached lora(config(), "lora", lora_alone(), at::kDouble);
  Attached molex(config(), "molex", over_lora("alpha: {main: 1, other: 0}\nbalance: 0"),
                 at::kDouble);
  perturb(lora.trainables());
  perturb(molex.trainables());
  for (const std::vector<int64_t>& routing :
       {std::vector<int64_t>{3, 3, 3, 3}, {1, 0, 3, 2}, {0, 1, 2, 3}}) {
    ForwardContext c = molex.context(Phase::train);
    force_all(c, routing);
    ForwardContext plain = lora.context(Phase::train);
    lora.trainables().zero_gradients();
    molex.trainables().zero_gradients();
    const Tensor expected = lora.model->logits(batch(), plain);
    const Tensor logits = molex.model->logits(batch(), c);
    EXPECT_SAME(logits, expected);
    const auto theirs = lora_gradients(lora, expected), ours = lora_gradients(molex, logits);
    ASSERT_EQ(ours.size(), theirs.size());
    for (const auto& [name, gradient] : theirs)
      EXPECT_CLOSE(ours.at(name), gradient, tight(gradient)) << name;
  }
}

// 3. With compat: reference the layer runs twice; alpha's gradient is then rounding noise, not
// exactly zero.
TEST_P(MolexIdentity, ALayerThatSelectsItselfIsUnchanged) {
  Attached lora(config(), "lora", lora_alone(), at::kDouble);
  perturb(lora.trainables());
  const Tensor expected = lora.logits(batch());
  for (const std::string compat : {"none", "reference"}) {
    Attached molex(config(), "molex",
                   over_lora("alpha: {kind: learned, main: 0.95, other: 0.05}\ncompat: " + compat),
                   at::kDouble);
    perturb(molex.trainables());
    ForwardContext c = molex.context(Phase::train);
    force_all(c, {0, 1, 2, 3});
    const Tensor logits = molex.model->logits(batch(), c);
    EXPECT_CLOSE(logits, expected, tight(expected)) << compat;
    at::cross_entropy_loss(logits, at::tensor({0, 1, 1}, at::kLong)).backward();
    const double noise = compat == "none" ? 0 : 1e-12;
    EXPECT_LE(molex.gradient("molex.alpha.main").abs().item<double>(), noise);
    EXPECT_LE(molex.gradient("molex.alpha.other").abs().item<double>(), noise);
  }
}

// 4, post-norm
TEST_P(MolexIdentity, TheBlendIsTheAverageOfTheTwoLayersRunAlone) {
  Attached run(config(), "molex",
               over_lora("layers_to_transform: '[1]'\nalpha: {main: 0.5, other: 0.5}"),
               at::kDouble);
  perturb(run.trainables());
  const at::NoGradGuard no_grad;
  const PackedBatch texts = batch();
  std::vector<Tensor> hidden;
  run.stack().hidden_states = &hidden;
  ForwardContext c = run.context();
  force(c, 1, {3});
  run.model->last_hidden_state(texts, c);
  ASSERT_EQ(hidden.size(), 5u);
  const auto alone = [&](int64_t layer) {
    return run.stack().layers[layer]->forward(hidden[1], Call{texts.rows, own_path(layer), c});
  };
  EXPECT_CLOSE(hidden[2], 0.5 * (alone(1) + alone(3)), tight(hidden[2]));
  EXPECT_GT(largest_difference(alone(1), alone(3)), 0.1);
}

// 6
TEST_P(MolexIdentity, AtTheStartALayerThatSelectsItselfGivesThePretrainedNetwork) {
  const auto pretrained = tiny_model(config(), at::kDouble);
  Reducer alone;
  ForwardContext plain(Phase::evaluate, 0, 0, alone);
  Attached molex(config(), "molex", over_lora("control: self"), at::kDouble);
  const Tensor expected = pretrained->logits(batch(), plain);
  EXPECT_CLOSE(molex.logits(batch()), expected, tight(expected));
}

// 7. For a limit of k the authors' RoBERTa code mixes layers 0 to k; their GPT-2 code, like ours,
// mixes layers 0 to k - 1.
TEST_P(MolexIdentity, ALimitOfKMixesTheFirstKLayersAndOneMoreWithCompatReference) {
  const auto mixed = [&](const std::string& yaml) {
    Attached run(config(), "molex", over_lora(yaml));
    ForwardContext c = run.context();
    RoutingRecord record;
    c.record = &record;
    run.model->logits(pack_examples({0}), c);
    std::vector<int64_t> out;
    for (int64_t t = 0; t < 4; ++t)
      if (record.choices[t].sum().item<int64_t>() > 0) out.push_back(t);
    return out;
  };
  EXPECT_EQ(mixed("layers_to_transform: 2"), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(mixed("layers_to_transform: 2\ncompat: reference"), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(mixed("layers_to_transform: 12\ncompat: reference"),
            (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(mixed("layers_to_transform: all"), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(mixed("layers_to_transform: '[1, 3]'"), (std::vector<int64_t>{1, 3}));
  EXPECT_THROW(mixed("layers_to_transform: 5"), UserError);
  EXPECT_THROW(mixed("layers_to_transform: '[4]'"), UserError);
}

// A pre-norm layer: x + f(x) with f(x) = tanh(norm(x) W).
Tensor pre_norm_branch(const Tensor& x, const Tensor& weight) {
  return at::tanh(at::mm(at::layer_norm(x, {x.size(1)}), weight));
}

// 4 and 5, pre-norm
TEST(MolexOfPreNormLayers, IsTheInputPlusTheBlendOfTheBranches) {
  HandMadeStack made(6);
  std::vector<Tensor> weights;
  for (int64_t t = 0; t < 3; ++t) {
    weights.push_back(draw({6, 6}, 0.5, "w" + std::to_string(t)).to(at::kDouble));
    made.add(
        [w = weights.back()](const Tensor& x, const Call&) { return x + pre_norm_branch(x, w); });
  }
  made.attach_molex("alpha: {main: 0.7, other: 0.3}\nlayers_to_transform: '[0]'");
  const SequenceLayout rows = rows_of({3, 4});
  const Tensor x = draw({7, 6}, 1, "x").to(at::kDouble);
  std::vector<Tensor> hidden;
  made.stack.hidden_states = &hidden;
  ForwardContext c = made.context();
  force(c, 0, {2});
  made.stack.forward(x, rows, c, nullptr);
  const Tensor f0 = pre_norm_branch(x, weights[0]), f2 = pre_norm_branch(x, weights[2]);
  EXPECT_CLOSE(hidden[1], x + 0.7 * f0 + 0.3 * f2, 1e-12);
  EXPECT_CLOSE(hidden[1], 0.7 * (x + f0) + 0.3 * (x + f2), 1e-12);
}

// 8. Layer t adds t to its input, so the output shows which layers ran.
TEST(MolexOfManyLayers, LayersBeyondTheLimitAreNotMixedButCanBeSelected) {
  HandMadeStack made(2);
  for (int64_t t = 0; t < 24; ++t)
    made.add([t](const Tensor& z, const Call&) { return z + static_cast<double>(t); });
  made.attach_molex("alpha: {main: 0.95, other: 0.05}\nlayers_to_transform: 12");
  ForwardContext c = made.context();
  for (int64_t t = 0; t < 24; ++t) force(c, t, {t == 0 ? 23 : t});
  RoutingRecord record;
  c.record = &record;
  std::vector<Tensor> hidden;
  made.stack.hidden_states = &hidden;
  made.stack.forward(at::zeros({4, 2}, at::kDouble), rows_of({4}), c, nullptr);
  EXPECT_CLOSE(hidden[1], at::full({4, 2}, 0.05 * 23, at::kDouble), 1e-12);  // 0.95 * 0 + 0.05 * 23
  EXPECT_CLOSE(hidden[24], at::full({4, 2}, 0.05 * 23 + 23 * 24 / 2, at::kDouble), 1e-10);
  EXPECT_EQ(record.choices.sum().item<int64_t>(), 12);
  EXPECT_EQ(record.choices.narrow(0, 12, 12).sum().item<int64_t>(), 0);
  EXPECT_EQ(record.choices[0][23].item<int64_t>(), 1);
}

}  // namespace
}  // namespace mixtune::test
