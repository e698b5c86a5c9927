// What the grammar refuses to combine, and what names its parts.
#include "support/tiny_model.h"

namespace molt::test {
namespace {

// The line that a recipe ends in on a model of 2 layers; "no mistake" where it attaches.
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

TEST(Mixture, WeightsThatAreNoSharesHaveNoBudgetAndNoEntropy) {
  EXPECT_EQ(mistake_of("squash: sigmoid\n"), "no mistake");
  EXPECT_EQ(mistake_of("squash: {name: sigmoid, temperature: 2}\nselect: all\n"
                       "losses: [{name: load, weight: 0.1}]\n"),
            "no mistake");
  expect_mistake("squash: sigmoid\nselect: prefix\n", "top_k or all (squash is sigmoid)");
  expect_mistake("squash: sigmoid\nbroadcast: {threshold: 0.9}\n", "off (squash is sigmoid)");
  expect_mistake("squash: sigmoid\nlosses: [{name: entropy}]\n", "no entropy (squash is sigmoid)");
}

TEST(Mixture, RanksOfExpertsAreOneForEach) {
  EXPECT_EQ(mistake_of("experts: [2, 3]\nexpert_ranks: [1, 2, 4]\n"), "no mistake");
  expect_mistake("experts: [2, 3]\nexpert_ranks: [1, 2]\n",
                 "mixture.expert_ranks: has 2 numbers; the layer with most experts has 3");
  expect_mistake("site: feed_forward\nexpert_ranks: [1, 2]\n", "null (site is feed_forward)");
}

// What a warmer softmax gives: weights nearer to each other.
TEST(Mixture, TheTemperatureReachesTheRouters) {
  const auto spread = [](const std::string& temperature) {
    Attached run(tiny_config("llama", 2), "mixture",
                 "squash: {name: softmax, temperature: " + temperature + "}\nselect: all\n");
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

// Linears that read the same input have one slot.
TEST(Mixture, PlainUpdatesBesideExpertsOfTheSameLinears) {
  const std::string taken = "mixture: another update stands on linears that read what ";
  expect_on_each_model("targets: [query]\nattention: {targets: [value]}\n", taken);
  expect_on_each_model("attention: {targets: [all-linear]}\n", taken);
  expect_on_each_model("attention: {targets: [ffn_up]}\n", taken);
  const std::string feed_forward = "mixture: another update stands on a linear of ";
  expect_on_each_model("site: feed_forward\nattention: {targets: [all-linear]}\n", feed_forward);
  expect_on_each_model("site: feed_forward\nattention: {targets: [ffn_up]}\n", feed_forward);
}

TEST(Mixture, WithoutALayer) {
  expect_on_each_model("layers: []\n", "mixture.layers: is []");
  expect_on_each_model("site: feed_forward\nlayers: []\n", "mixture.layers: is []");
}

}  // namespace
}  // namespace molt::test
