// Every method that is a mixture, printed as a `mixture` config and read back, must be the same
// function: equal logits, losses and gradients, whatever its options.
#include "base/config.h"
#include "methods/mixture.h"
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

// Non-default options that reach every part of the config.
const std::map<std::string, std::vector<std::string>>& variants() {
  static const std::map<std::string, std::vector<std::string>> all = {
      {"dynmole",
       {"",
        "selection: top_p\nrenormalize: true\nentropy_type: renyi\nentropy_index: "
        "0.5\nentropy_eps: 0\nreduction: mean\n",
        "entropy_threshold: 1\nentropy_type: shannon\nload: share\ntokens: "
        "supervised\nlayers_to_transform: [1]\n",
        "normalize_entropy: false\nentropy_threshold: 1.2\nentropy_loss: 0\nload: "
        "selected\nuse_rslora: true\n"}},
      {"mola",
       {"", "balance: 0.1\nr: [1, 2, 3]\n", "top_k: [1, 2, 3]\nexpert_ranks: [1, 3, 2, 1, 1, 4]\n",
        "num_experts: 4\nbalance: 0.1\nform: pooled\ntop_k: 3\nrenormalize: "
        "false\ninit_lora_weights: gaussian\n",
        "num_experts: [2, 3, 4]\nrouter: {init: normal, std: 0.3}\ntarget_modules: [query, "
        "ffn_down]\n"}},
      {"loramoe", {"", "balance: 1\ndelta: 0.25\nlora_dropout: 0.3\ndropout_mask: expert\n"}},
      {"mixlora",
       {"", "routing: dynamic\nuse_rslora: true\nlayers_to_transform: [0, 2]\nbalance: 0.5\n",
        "routing: switch\ncapacity: 2\nbalance: 0.5\nz_loss: 0.2\n", "entropy_loss: 0.3\n",
        "num_experts: 3\ntop_k: 1\nrouter_std: 0\njitter_noise: 0.2\nattention_target_modules: "
        "[]\n"}},
      {"molex",
       {"",
        "over: dynmole\nlayers_to_transform: [0, 2]\nscope: prompt\nprompt_tokens: 2\nreduce: "
        "mean\n",
        "over: null\nlayers_to_transform: 2\ngate: {kind: cosine, projection: 4, cosine_axis: "
        "sequence, "
        "sharing: per_layer, gradient: probability, weight_decay: 0.1}\nalpha: {kind: learned, "
        "main: 1, sharing: shared}\n",
        "scope: sequence\nbalance: 0\ngate: {gradient: straight_through, detach_input: true}\n"
        "alpha: {main: 0.7, other: 0.2}\n",
        "scope: batch\ncontrol: random\n", "control: uniform\n", "control: neighbor\n"}}};
  return all;
}

struct Outcome {
  Tensor logits, loss, gradients;
};

Outcome outcome(Attached& run) {
  perturb(run.trainables());
  PackedBatch batch = pack_examples({0, 1, 2, 3});
  batch.rows.example_group = {1, 0, 0, 1};
  batch.rows.prompt = {1, 2, 1, 2};
  ForwardContext context = run.context(Phase::train, 3);
  Outcome out;
  out.logits = run.model->logits(batch, context);
  out.loss = out.logits.square().sum();
  const Tensor auxiliary = run.attachment->auxiliary_sum(context);
  if (auxiliary.defined()) out.loss = out.loss + auxiliary;
  out.loss.backward();
  out.gradients = run.trainables().gradients;
  return out;
}

TEST(ConformanceOfMixtures, ThePrintedMixtureConfigIsEquivalentToTheMethod) {
  int count = 0;
  for (const MethodEntry& method : methods().entries()) {
    if (!method.as_mixture || method.name == "mixture") continue;
    ++count;
    const auto known = variants().find(method.name);
    ASSERT_NE(known, variants().end()) << "add options to try for " << method.name << " to try";
    for (const std::string& yaml : known->second)
      for (const std::string model : {"bert", "gpt2", "llama"}) {
        SCOPED_TRACE(method.name + " on " + model + ":\n" + yaml);
        const auto config = method.config();
        ConfigLayers layers;
        if (!yaml.empty()) layers.add_text(yaml, "test");
        layers.apply(*config);
        const auto mixture = method.as_mixture(*config);
        ASSERT_NE(mixture, nullptr);
        const std::string spec = to_yaml(*mixture);
        Attached named(tiny_config(model, 3), method.name, yaml),
            rebuilt(tiny_config(model, 3), "mixture", spec);
        EXPECT_SAME(named.trainables().values, rebuilt.trainables().values);
        const Outcome a = outcome(named), b = outcome(rebuilt);
        EXPECT_SAME(a.logits, b.logits);
        EXPECT_SAME(a.loss, b.loss);
        EXPECT_SAME(a.gradients, b.gradients);
        // Printing it again gives the same text.
        MixtureConfig again;
        ConfigLayers read;
        read.add_text(spec, "spec");
        read.apply(again);
        EXPECT_EQ(to_yaml(again), spec);
      }
  }
  EXPECT_GE(count, 5);
}

}  // namespace
}  // namespace mixtune::test
