// MoLEx, routing decisions: group B of the verification tests of its sheet, with their numbers, and
// the gate ablations. If the gate's matrix is the identity, a row of the input is also the row's
// scores, so votes can be given directly.
#include <set>

#include "support/hand_made_stack.h"

namespace mixtune::test {
namespace {

// The selections of layer 0 on `z`, in a stack of four identity layers of width 4.
std::vector<int64_t> choice_of(const Tensor& z, const std::vector<int64_t>& lengths,
                               const std::string& yaml, Phase phase = Phase::evaluate) {
  HandMadeStack made(4);
  for (int n = 0; n < 4; ++n) made.add_identity();
  made.attach_molex(yaml + "\nlayers_to_transform: '[0]'");
  made.score_is_input();
  ForwardContext c = made.context(phase);
  made.stack.forward(z, rows_of(lengths), c, nullptr);
  return decision(c, 0);
}

using LayerChoice = std::vector<int64_t>;

// 9
TEST(MolexVote, IsTheMajorityAndTheLowestIndexOnATie) {
  EXPECT_EQ(choice_of(votes_for({2, 0, 2, 0, 2, 0, 2}, 4), {7}, "scope: batch"), LayerChoice{2});
  EXPECT_EQ(choice_of(votes_for({3, 1, 3, 1, 3, 1}, 4), {6}, "scope: batch"), LayerChoice{1});
  EXPECT_EQ(choice_of(votes_for({3, 1, 3, 1, 0, 2, 2}, 4), {4, 3}, "scope: sequence"),
            (LayerChoice{1, 2}));
  EXPECT_EQ(choice_of(votes_for({3, 1, 3, 1, 0, 2, 2}, 4), {4, 3}, "compat: reference"),
            LayerChoice{1});
}

// 10. A packed batch has no padding. If padding is packed as tokens, as in the authors' code, it
// outvotes the text.
TEST(MolexVote, CountsOnlyRealTokens) {
  const Tensor text = votes_for({2, 2, 0}, 4), padding = votes_for({0, 0, 0}, 4);
  EXPECT_EQ(choice_of(text, {3}, "scope: batch"), LayerChoice{2});
  EXPECT_EQ(choice_of(at::cat({text, padding}), {6}, "scope: batch"), LayerChoice{0});
}

// 11
TEST(MolexVote, OfASequenceDoesNotDependOnItsNeighbors) {
  const Tensor first = votes_for({1, 1}, 4), second = votes_for({3, 3, 3}, 4);
  const Tensor both = at::cat({first, second});
  EXPECT_EQ(choice_of(first, {2}, "scope: batch"), LayerChoice{1});
  EXPECT_EQ(choice_of(both, {2, 3}, "scope: batch"), LayerChoice{3});
  EXPECT_EQ(choice_of(first, {2}, "scope: sequence"), LayerChoice{1});
  EXPECT_EQ(choice_of(both, {2, 3}, "scope: sequence"), (LayerChoice{1, 3}));
}

// 12. Two tokens are almost certain of layer 1, three slightly prefer layer 0.
TEST(MolexVote, DiffersFromTheHighestMeanProbability) {
  const Tensor z = at::zeros({5, 4}, at::kDouble);
  z.narrow(0, 0, 2).select(1, 1).fill_(20);
  z.narrow(0, 2, 3).select(1, 0).fill_(0.1);
  EXPECT_EQ(choice_of(z, {5}, "reduce: vote"), LayerChoice{0});
  EXPECT_EQ(choice_of(z, {5}, "reduce: mean"), LayerChoice{1});
  EXPECT_EQ(choice_of(z, {5}, "reduce: mean\nscope: batch"), LayerChoice{1});
  EXPECT_EQ(choice_of(z, {2, 3}, "reduce: mean"), (LayerChoice{1, 0}));
}

// 13
TEST(MolexRecord, CountsOneDecisionPerMixedLayerAndScope) {
  const auto counts = [](const std::string& yaml) {
    Attached run(tiny_config("roberta"), "molex", yaml);
    ForwardContext c = run.context();
    RoutingRecord record;
    c.record = &record;
    run.model->logits(pack_examples({0, 1, 2}), c);
    return record.choices.sum(1);
  };
  EXPECT_TRUE(at::equal(counts("scope: batch\nlayers_to_transform: 3"),
                        at::tensor({1, 1, 1, 0}, at::kLong)));
  EXPECT_TRUE(at::equal(counts("scope: sequence"), at::tensor({3, 3, 3, 3}, at::kLong)));
}

// 14
TEST(MolexBatch, DoesNotDependOnTheOrderOfExamples) {
  Attached run(tiny_config("bert"), "molex", "scope: batch\ngate: {gradient: probability}",
               at::kDouble);
  perturb(run.trainables(), 0.5);
  const at::NoGradGuard no_grad;
  ForwardContext straight = run.context(), permuted = run.context();
  const Tensor logits = run.model->logits(pack_examples({0, 1, 2, 3}), straight);
  const Tensor others = run.model->logits(pack_examples({2, 0, 3, 1}), permuted);
  for (int64_t t = 0; t < 4; ++t) EXPECT_EQ(decision(straight, t), decision(permuted, t));
  EXPECT_CLOSE(others, logits.index_select(0, at::tensor({2, 0, 3, 1}, at::kLong)), tight(logits));
}

// 11, with a whole model: some sequences vote differently, so a batch decision changes their
// results.
TEST(MolexBatch, ChangesPredictionsWithABatchScopeAndNotWithASequenceScope) {
  const auto together_and_alone = [](const std::string& vote) {
    Attached run(tiny_config("roberta"), "molex", "scope: " + vote + "\ngate: {sharing: per_layer}",
                 at::kDouble);
    perturb(run.trainables(), 0.5);
    const at::NoGradGuard no_grad;
    for (const Segment& s : run.trainables().segments())
      if (s.name.ends_with("gate.0.bias")) run.trainables().value_of(s).zero_();
    std::vector<Tensor> alone;
    std::vector<int64_t> examples;
    for (int64_t example = 0; example < 16; ++example) {
      examples.push_back(example);
      alone.push_back(run.logits(pack_examples({example})));
    }
    return largest_difference(run.logits(pack_examples(examples)), at::cat(alone));
  };
  EXPECT_GT(together_and_alone("batch"), 1e-2);
  EXPECT_LT(together_and_alone("sequence"), 1e-9);
}

TEST(MolexAblation, RandomIsTheInitialGateAndTrainsNothing) {
  Attached learned(tiny_config("bert"), "molex", ""),
      frozen(tiny_config("bert"), "molex", "control: random");
  EXPECT_EQ(frozen.trainables().find("molex.gate.weight"), nullptr);
  EXPECT_TRUE(frozen.attachment->losses.empty());
  ASSERT_EQ(frozen.attachment->buffers.size(), 2u);
  const Segment* weight = learned.trainables().find("molex.gate.weight");
  EXPECT_SAME(*frozen.attachment->buffers[0].tensor, learned.trainables().value_of(*weight));
  EXPECT_SAME(learned.logits(pack_examples({0, 1})), frozen.logits(pack_examples({0, 1})));
}

TEST(MolexAblation, SelfAndNeighborDependOnlyOnThePosition) {
  const auto choices = [](const std::string& control) {
    Attached run(tiny_config("bert"), "molex", "control: " + control);
    EXPECT_TRUE(run.attachment->buffers.empty());
    ForwardContext c = run.context();
    run.model->logits(pack_examples({0, 1}), c);
    std::vector<LayerChoice> out;
    for (int64_t t = 0; t < 4; ++t) out.push_back(decision(c, t));
    return out;
  };
  EXPECT_EQ(choices("self"), (std::vector<LayerChoice>{{0, 0}, {1, 1}, {2, 2}, {3, 3}}));
  EXPECT_EQ(choices("neighbor"), (std::vector<LayerChoice>{{1, 1}, {2, 2}, {3, 3}, {2, 2}}));
}

// The random choices of layer 0 for the given examples at a step.
LayerChoice uniform_choice(const std::vector<int64_t>& examples, int64_t step, RandomKey seed = 7) {
  Attached run(tiny_config("bert"), "molex", "control: uniform");
  ForwardContext c = run.context(Phase::train, step, seed);
  run.model->logits(pack_examples(examples), c);
  return decision(c, 0);
}

TEST(MolexAblation, UniformChoicesDependOnSeedStepAndExampleButNotOnPacking) {
  const LayerChoice all = uniform_choice({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 0);
  EXPECT_EQ(uniform_choice({5}, 0), LayerChoice{all[5]});
  EXPECT_EQ(uniform_choice({9, 2}, 0), (LayerChoice{all[9], all[2]}));
  EXPECT_NE(uniform_choice({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 1), all);
  EXPECT_NE(uniform_choice({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 0, 8), all);
  EXPECT_EQ(std::set<int64_t>(all.begin(), all.end()).size(), 4u);  // every layer occurs
}

TEST(MolexForced, MayDifferBySequence) {
  HandMadeStack made(1);
  for (const double value : {0.0, 10.0, 20.0, 30.0}) made.add_constant(value);
  made.attach_molex("layers_to_transform: '[0]'\nalpha: {main: 0, other: 1}");
  std::vector<Tensor> hidden;
  made.stack.hidden_states = &hidden;
  ForwardContext c = made.context();
  force(c, 0, {3, 0, 1});
  made.stack.forward(at::zeros({6, 1}, at::kDouble), rows_of({1, 2, 3}), c, nullptr);
  EXPECT_SAME(hidden[1].view({-1}), at::tensor({30., 0., 0., 10., 10., 10.}, at::kDouble));
}

}  // namespace
}  // namespace mixtune::test
