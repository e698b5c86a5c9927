// Combinations of options that `mixture` rejects, and the effect of its parts.
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

// The error of a recipe on a model with 2 layers; "no mistake" if it attaches.
std::string mistake_of(const std::string& yaml, const std::string& model = "llama") {
  try {
    Attached(tiny_config(model, 2), "mixture", yaml);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no mistake";
}

void expect_mistake(const std::string& yaml, const std::string& part) {
  const std::string found = mistake_of(yaml);
  EXPECT_NE(found.find(part), std::string::npos) << yaml << found;
}

TEST(Mixture, SigmoidScoringExcludesBudgetsAndEntropies) {
  EXPECT_EQ(mistake_of("scoring: sigmoid\n"), "no mistake");
  EXPECT_EQ(mistake_of("scoring: {name: sigmoid, temperature: 2}\nselection: all\n"
                       "losses: [{name: load, weight: 0.1}]\n"),
            "no mistake");
  expect_mistake("scoring: sigmoid\nselection: strict_top_p\n",
                 "top_k or all (scoring is sigmoid)");
  expect_mistake("scoring: sigmoid\nentropy_switch: {threshold: 0.9}\n",
                 "off (scoring is sigmoid)");
  expect_mistake("scoring: sigmoid\nlosses: [{name: entropy}]\n",
                 "no entropy (scoring is sigmoid)");
}

TEST(Mixture, ExpertRanksHasOneRankPerExpert) {
  EXPECT_EQ(mistake_of("num_experts: [2, 3]\nexpert_ranks: [1, 2, 4]\n"), "no mistake");
  expect_mistake("num_experts: [2, 3]\nexpert_ranks: [1, 2]\n",
                 "mixture.expert_ranks: has 2 numbers; the layer with most experts has 3");
  expect_mistake("site: feed_forward\nexpert_ranks: [1, 2]\n", "null (site is feed_forward)");
}

// A higher temperature gives weights closer to each other, so a higher entropy.
TEST(Mixture, TheTemperatureReachesTheRouters) {
  const auto spread = [](const std::string& temperature) {
    Attached run(tiny_config("llama", 2), "mixture",
                 "scoring: {name: softmax, temperature: " + temperature + "}\nselection: all\n");
    perturb(run.trainables());
    RoutingRecord record;
    ForwardContext context = run.context(Phase::evaluate);
    context.record = &record;
    run.model->logits(pack_examples({0, 1}), context);
    const ExpertRecord& one = record.experts.begin()->second;
    return one.entropy / static_cast<double>(one.tokens);
  };
  EXPECT_LT(spread("0.1"), spread("1"));
  EXPECT_LT(spread("1"), spread("10"));
}

void expect_on_each_model(const std::string& yaml, const std::string& says) {
  for (const std::string model : {"bert", "gpt2", "llama"}) {
    const std::string found = mistake_of(yaml, model);
    EXPECT_NE(found.find(says), std::string::npos) << model << ": " << found;
  }
}

// Linears that read the same input share one slot.
TEST(Mixture, RejectsPlainUpdatesOnLinearsWithExperts) {
  const std::string occupied =
      "mixture: another update already adapts linear layers with the same input as ";
  expect_on_each_model("target_modules: [query]\nattention: {target_modules: [value]}\n", occupied);
  expect_on_each_model("attention: {target_modules: [all-linear]}\n", occupied);
  expect_on_each_model("attention: {target_modules: [ffn_up]}\n", occupied);
  const std::string feed_forward = "mixture: another update already adapts a linear layer of ";
  expect_on_each_model("site: feed_forward\nattention: {target_modules: [all-linear]}\n",
                       feed_forward);
  expect_on_each_model("site: feed_forward\nattention: {target_modules: [ffn_up]}\n", feed_forward);
}

TEST(Mixture, RejectsAnEmptyListOfLayers) {
  expect_on_each_model("layers_to_transform: []\n", "mixture.layers_to_transform: is []");
  expect_on_each_model("site: feed_forward\nlayers_to_transform: []\n",
                       "mixture.layers_to_transform: is []");
}

TEST(Mixture, RejectsScopesAndGatesThatASiteDoesNotSupport) {
  EXPECT_EQ(mistake_of("scope: {level: sequence, pool: probabilities}\ngate: cosine\n"),
            "no mistake");
  expect_mistake("scope: {level: sequence, pool: votes}\n", "scores, probabilities or null");
  expect_mistake("scope: {pool: probabilities}\n",
                 "scope.pool is set; expected null (each token decides)");
  expect_mistake("site: feed_forward\nscope: {pool: votes}\n", "(site is feed_forward)");
  expect_mistake("gate: cosine\nrouter: {init: normal}\n",
                 "router.init is set; expected left out (gate is cosine)");
  expect_mistake("gate: {name: cosine, axis: sequence}\n",
                 "mixture.gate: normalizes over whole sequences");
  expect_mistake("site: layer\nscope: {level: token}\n", "sequence, prompt, batch or null");
  expect_mistake("site: layer\nscope: {pool: scores}\n", "votes, probabilities or null");
}

TEST(Mixture, LayerExpertsRejectOptionsOfLowRankExperts) {
  EXPECT_EQ(mistake_of("site: layer\n"), "no mistake");
  EXPECT_EQ(mistake_of("site: layer\nover: {name: lora, r: 2}\nlayers_to_transform: [1]\n"
                       "router: {learning_rate: 0.1}\n"),
            "no mistake");
  expect_mistake("site: layer\nnum_experts: 4\n",
                 "num_experts is 4; expected left out (site is layer)");
  expect_mistake("site: layer\nrouter: {learning_rate: 1, jitter_noise: 0.1}\n",
                 "router.jitter_noise is set; expected left out (site is layer)");
  expect_mistake("site: layer\nlosses: [{name: load, weight: 1}]\n",
                 "losses is set; expected left out (site is layer)");
  expect_mistake("site: layer\nlayers_to_transform: [2]\n",
                 "mixture.layers_to_transform: names layer 2");
  expect_mistake("site: {name: layer, blend: {raw: true}}\n", "requires learned and shared");
  expect_mistake("site: {name: layer, blend: {kind: learned, raw: true}, sharing: per_layer}\n",
                 "requires learned and shared");
  expect_mistake("site: {name: layer, gradient: probability, source: self}\n", "source is self");
  expect_mistake("over: lora\n", "null (site is linear)");
}

// Only one spec can mix the layers.
TEST(Mixture, LayerExpertsUnderMolexAreRejected) {
  try {
    Attached(tiny_config("bert", 2), "molex", "over: {name: mixture, site: layer}\n");
    FAIL() << "attached";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("already mixes the layers of the model"),
              std::string::npos)
        << error.what();
  }
}

// The options of `mixture` that are equivalent to compat: reference, for each type of model.
TEST(Mixture, LayerExpertsCanMatchMolexWithCompatReference) {
  const std::string common = "site: {name: layer, matches_reference: true, blend: {kind: learned, ";
  const std::string rest =
      "over: lora\nlayers_to_transform: [0, 1]\nscope: {level: batch}\n"
      "router: {weight_decay: 0}\n";
  for (const auto& [model, limit, blend] : {std::tuple{"bert", "1", "own: 0.5, other: 0.5"},
                                            {"gpt2", "2", "own: 0.95, other: 0.05, raw: true"}}) {
    SCOPED_TRACE(model);
    const ModelConfig config = tiny_config(model, 3);
    Attached molex(
        config, "molex",
        std::string("compat: reference\nalpha: {kind: learned}\nlayers_to_transform: '") + limit +
            "'\n");
    Attached mixture(config, "mixture", common + blend + "}}\n" + rest);
    for (Attached* run : {&molex, &mixture}) perturb(run->trainables());
    EXPECT_SAME(molex.trainables().values, mixture.trainables().values);
    const PackedBatch batch = pack_examples({0, 1, 2});
    EXPECT_SAME(molex.logits(batch), mixture.logits(batch));
    for (Attached* run : {&molex, &mixture})
      EXPECT_TRUE(run->model->sites().stack->adapter->averages_cache());
    ASSERT_EQ(molex.attachment->losses.size(), 1u);
    EXPECT_EQ(molex.attachment->losses[0].in_evaluation,
              mixture.attachment->losses[0].in_evaluation);
  }
}

}  // namespace
}  // namespace mixtune::test
