// MoLEx, layers are shared and never copied: group E of the verification tests of its sheet, with
// their numbers.
#include <set>

#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

// 25. Layer 0 borrows layer 2. Two untied models compute the same from the same input, with the
// borrowed layer 2 from the second one: the tied gradient is the sum of the two.
TEST(MolexSharing, GradientOfABorrowedLayerIsTheSumOverItsUses) {
  const std::string yaml =
      "over: {name: lora, r: 2}\nlayers_to_transform: '[0]'\nbalance: 0\nalpha: {main: 0.5, other: "
      "0.5}";
  Attached tied(tiny_config("roberta"), "molex", yaml, at::kDouble);
  Attached own(tiny_config("roberta"), "molex", yaml, at::kDouble);
  Attached lent(tiny_config("roberta"), "molex", yaml, at::kDouble);
  for (Attached* run : {&tied, &own, &lent}) perturb(run->trainables());
  const SequenceLayout rows = pack_examples({0, 1}).rows;
  const Tensor z = draw({rows.tokens(), 16}, 1, "z").to(at::kDouble);
  const Tensor weights = draw({rows.tokens(), 16}, 1, "weights").to(at::kDouble);

  ForwardContext c = tied.context();
  force(c, 0, {2});
  const Tensor expected = tied.stack().forward(z, rows, c, nullptr);
  (expected * weights).sum().backward();

  ForwardContext untied = own.context();
  const auto layer = [&](Attached& run, int64_t t, const Tensor& x) {
    return run.stack().layers[t]->forward(x, Call{rows, own_path(t), untied});
  };
  Tensor state = 0.5 * layer(own, 0, z) + 0.5 * layer(lent, 2, z);
  for (int64_t t = 1; t < 4; ++t) state = layer(own, t, state);
  EXPECT_CLOSE(state, expected, 1e-12);
  (state * weights).sum().backward();

  int checked = 0;
  for (const Segment& s : tied.trainables().segments()) {
    if (s.group != "adapter") continue;
    const Tensor sum = own.gradient(s.name) + lent.gradient(s.name);
    EXPECT_CLOSE(tied.gradient(s.name), sum, 1e-12) << s.name;
    const bool lends = s.name.find("layer.2.") != std::string::npos;
    EXPECT_EQ(lent.gradient(s.name).abs().max().item<double>() > 0, lends) << s.name;
    ++checked;
  }
  EXPECT_EQ(checked, 4 * 4);
}

// 26
TEST(MolexSharing, GradientsEqualFiniteDifferences) {
  ModelConfig config = tiny_config("bert", 3);
  config.hidden_size = 8;
  Attached run(config, "molex",
               "over: {name: lora, r: 2}\nbalance: 0.1\nscope: batch\nalpha: {kind: learned}",
               at::kDouble);
  perturb(run.trainables());
  const PackedBatch batch = pack_examples({0, 1, 2});
  const auto loss = [&] {
    ForwardContext c = run.context(Phase::train);
    force_all(c, {2, 0, 1});
    const Tensor logits = run.model->logits(batch, c);
    return at::cross_entropy_loss(logits, at::tensor({0, 1, 1}, at::kLong)) +
           run.attachment->auxiliary_sum(c);
  };
  loss().backward();
  const Tensor gradient = run.trainables().gradients.clone();
  const at::NoGradGuard no_grad;
  const double step = 1e-5;
  const Tensor values = run.trainables().values;
  for (int64_t i = 0; i < values.numel(); ++i) {
    const double value = values[i].item<double>();
    values[i].fill_(value + step);
    const double above = loss().item<double>();
    values[i].fill_(value - step);
    const double below = loss().item<double>();
    values[i].fill_(value);
    ASSERT_NEAR(gradient[i].item<double>(), (above - below) / (2 * step), 1e-6) << i;
  }
}

// 27
TEST(MolexSharing, MergedLayersGiveTheSameLogits) {
  for (const std::string type : {"bert", "roberta"}) {
    Attached run(tiny_config(type), "molex",
                 "over: {name: lora, r: 2, target_modules: [query, value, ffn_up, "
                 "ffn_down]}\ncontrol: random",
                 at::kDouble);
    Attached merged(tiny_config(type), "molex", "over: null\ncontrol: random", at::kDouble);
    perturb(run.trainables());
    const at::NoGradGuard no_grad;
    for (size_t g = 0; g < run.model->sites().groups.size(); ++g) {
      const LinearGroup& from = *run.model->sites().groups[g];
      LinearGroup& to = *merged.model->sites().groups[g];
      if (!from.adapter) continue;
      for (size_t m = 0; m < from.members().size(); ++m)
        to.weight_of({m, m + 1}).copy_(from.adapter->merged(from, m).value());
    }
    // The head was perturbed too.
    for (const Segment& s : merged.trainables().segments())
      merged.trainables().value_of(s).copy_(
          run.trainables().value_of(*run.trainables().find(s.name)));
    const PackedBatch batch = pack_examples({0, 1, 2, 3});
    EXPECT_CLOSE(run.logits(batch), merged.logits(batch), 1e-10);
  }
}

// 28
TEST(MolexSharing, TrainsLoraGatesLearnedAlphaAndTheHeadAndNothingElse) {
  Attached run(tiny_config("roberta", 2), "molex",
               "alpha: {kind: learned}\ngate: {sharing: per_layer, kind: cosine, projection: 4}");
  std::set<std::string> expected = {"classifier.dense.weight", "classifier.dense.bias",
                                    "classifier.out_proj.weight", "classifier.out_proj.bias"};
  for (const std::string t : {"0", "1"}) {
    for (const std::string member : {"query", "value"})
      for (const std::string part : {".lora_A.weight", ".lora_B.weight"})
        expected.insert("roberta.encoder.layer." + t + ".attention.self." + member + part);
    for (const std::string part :
         {"cosine_projector.weight", "cosine_projector.bias", "sim_matrix", "temperature"})
      expected.insert("molex.gate." + t + "." + part);
    expected.insert("molex.alpha." + t + ".main");
    expected.insert("molex.alpha." + t + ".other");
  }
  std::set<std::string> trained;
  for (const Segment& s : run.trainables().segments()) trained.insert(s.name);
  EXPECT_EQ(trained, expected);
  // The model's own weights have no gradient.
  for (const WeightSlot& slot : run.model->sites().weights)
    EXPECT_EQ(slot.storage->requires_grad(), trained.contains(slot.name)) << slot.name;
}

TEST(MolexSharing, GateAndAlphaHaveALearningRateGroupOfTheirOwn) {
  Attached run(tiny_config("bert", 2), "molex",
               "alpha: {kind: learned}\ngate: {learning_rate: 0.01, weight_decay: 0.1}");
  const GroupSettings settings = run.attachment->groups.at("gate");
  EXPECT_EQ(settings.learning_rate, 0.01);
  EXPECT_EQ(settings.weight_decay, 0.1);
  for (const Segment& s : run.trainables().segments()) {
    EXPECT_EQ(s.group == "gate", s.name.starts_with("molex.")) << s.name;
    EXPECT_TRUE(s.group != "gate" || s.decays) << s.name;  // biases too, as in the authors' code
  }
}

}  // namespace
}  // namespace mixtune::test
