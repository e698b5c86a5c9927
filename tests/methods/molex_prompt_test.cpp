// MoLEx on decoders: the prompt makes the decision for its whole sequence, so that no choice
// depends on a later token; a sequence without a prompt uses its first tokens. If the gate's matrix
// is the identity, a row of the input is also the row's scores, so votes can be given directly.
#include "support/hand_made_stack.h"

namespace mixtune::test {
namespace {

using LayerChoice = std::vector<int64_t>;

SequenceLayout rows_with_prompts(const std::vector<int64_t>& lengths,
                                 const std::vector<int64_t>& prompts) {
  SequenceLayout rows = rows_of(lengths);
  rows.prompt = prompts;
  return rows;
}

// Four identity layers of width 4 in a causal stack, of which layer 0 is mixed.
struct CausalStack : HandMadeStack {
  explicit CausalStack(const std::string& yaml) : HandMadeStack(4) {
    causal = true;
    for (int n = 0; n < 4; ++n) add_identity();
    attach_molex(yaml + "\nlayers_to_transform: '[0]'");
    if (yaml.find("control") == std::string::npos) score_is_input();
  }
  ForwardContext forward(const Tensor& z, const SequenceLayout& rows) {
    ForwardContext c = context();
    stack.forward(z, rows, c, nullptr);
    return c;
  }
};

LayerChoice choice_of(const Tensor& z, const SequenceLayout& rows, const std::string& yaml) {
  CausalStack made(yaml);
  ForwardContext c = made.forward(z, rows);
  return decision(c, 0);
}

TEST(MolexPrompt, DecidesForTheWholeSequenceAndIsTheDefaultOfDecoders) {
  const Tensor z = votes_for({2, 2, 0, 0, 0, 1, 3, 3}, 4);
  const SequenceLayout rows = rows_with_prompts({5, 3}, {2, 1});
  EXPECT_EQ(choice_of(z, rows, ""), (LayerChoice{2, 1}));
  EXPECT_EQ(choice_of(z, rows, "scope: prompt"), (LayerChoice{2, 1}));
  EXPECT_EQ(choice_of(z, rows, "scope: sequence"), (LayerChoice{0, 3}));
  EXPECT_EQ(choice_of(z, rows, "scope: batch"), LayerChoice{0});
  EXPECT_EQ(choice_of(z, rows, "compat: reference"), LayerChoice{0});
}

TEST(MolexPrompt, DefaultsToTheFirstTokens) {
  const Tensor z = votes_for({2, 2, 1, 0, 0, 0, 3, 3}, 4);
  EXPECT_EQ(choice_of(z, rows_of({6, 2}), "prompt_tokens: 3"), (LayerChoice{2, 3}));
  EXPECT_EQ(choice_of(z, rows_of({6, 2}), "prompt_tokens: 6"), (LayerChoice{0, 3}));
  EXPECT_EQ(choice_of(z, rows_of({6, 2}), ""), (LayerChoice{0, 3}));  // sixteen
  // One of two has a prompt.
  EXPECT_EQ(choice_of(z, rows_with_prompts({6, 2}, {0, 1}), "prompt_tokens: 2"),
            (LayerChoice{2, 3}));
}

TEST(MolexPrompt, CanDecideByMeanProbabilityAndAblationsDecideOncePerSequence) {
  const Tensor z = at::zeros({6, 4}, at::kDouble);
  z[0].select(0, 1).fill_(20);                // one token almost certain of layer 1,
  z.narrow(0, 1, 2).select(1, 0).fill_(0.1);  // two that slightly prefer layer 0,
  z.narrow(0, 3, 3).select(1, 3).fill_(30);   // and a completion that is certain of layer 3
  const SequenceLayout rows = rows_with_prompts({6}, {3});
  EXPECT_EQ(choice_of(z, rows, "reduce: mean"), LayerChoice{1});
  EXPECT_EQ(choice_of(z, rows, "reduce: vote"), LayerChoice{0});
  EXPECT_EQ(choice_of(z, rows, "control: neighbor"), LayerChoice{1});
  EXPECT_EQ(choice_of(z, rows_of({2, 4}), "control: uniform").size(), 2u);
}

// As in MolexBalance.UnderSequenceVotesCountsSequences, whose tokens are the prompts here: two of
// three sequences select layer 0, P = (5/8, 3/8) over the four pooled tokens, l = 13/12.
TEST(MolexPrompt, OnlyPromptTokensEnterTheBalanceLoss) {
  HandMadeStack made(2);
  made.causal = true;
  for (int n = 0; n < 2; ++n) made.add_identity();
  made.attach_molex("layers_to_transform: '[0]'");
  made.score_is_input();
  ForwardContext c = made.context();
  const Tensor z = std::log(3.0) * votes_for({0, 0, /**/ 1, 1, 0, 1, /**/ 1, 1}, 2);
  made.stack.forward(z, rows_with_prompts({4, 1, 3}, {2, 1, 1}), c, nullptr);
  EXPECT_NEAR(made.attachment->auxiliary(c).at(0).second.item<double>(), 13.0 / 12, 1e-12);
}

// z' = a u_t + o (p / stop(p)) u_j with u_j = 3 everywhere: the sum of z' has the gradient of
// o * 3 * (rows * columns) * log p, and p is the mean over the two tokens of the prompt.
TEST(MolexPrompt, ReachesTheGateThroughItsOwnMeanProbability) {
  HandMadeStack made(2);
  made.causal = true;
  made.add_identity();
  made.add([](const Tensor& z, const Call& call) {
    return call.path.use == Use::borrowed ? at::full_like(z, 3.0) : z;
  });
  made.attach_molex(
      "layers_to_transform: '[0]'\ngate: {gradient: probability}\nalpha: {main: 0.75, other: "
      "0.25}");
  made.score_is_input();
  const Tensor z = at::tensor({0.3, 0.9, -0.2, 0.5, 4.0, -4.0}, at::kDouble).view({3, 2});
  ForwardContext c = made.context(Phase::train);
  made.stack.forward(z, rows_with_prompts({3}, {2}), c, nullptr).sum().backward();
  EXPECT_EQ(decision(c, 0), LayerChoice{1});

  const Tensor gate = at::eye(2, at::kDouble).requires_grad_();
  const Tensor p = at::softmax(at::linear(z.narrow(0, 0, 2), gate), 1).mean(0);
  (0.25 * 3 * 6 * at::log(p[1])).backward();
  const Trainables& trainables = made.attachment->trainables;
  const Segment* segment = made.attachment->trainables.find("molex.gate.weight");
  ASSERT_NE(segment, nullptr);
  EXPECT_CLOSE(trainables.gradient_of(*segment), gate.grad(), 1e-12);
}

TEST(MolexPrompt, OtherScopesWarnOnDecoders) {
  const auto warnings = [](const std::string& yaml) {
    return CausalStack(yaml).attachment->warnings;
  };
  EXPECT_TRUE(warnings("").empty());
  EXPECT_TRUE(warnings("prompt_tokens: 4").empty());
  for (const std::string level : {"sequence", "batch"}) {
    const auto found = warnings("scope: " + level);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_NE(found[0].find("pools by " + level), std::string::npos) << found[0];
  }
  EXPECT_EQ(warnings("compat: reference").size(), 1u);
  Attached encoder(tiny_config("bert"), "molex", "scope: batch");
  EXPECT_TRUE(encoder.attachment->warnings.empty());
}

std::vector<std::string> decoders() {
  std::vector<std::string> out;
  for (const std::string& type : supported_model_types())
    if (tiny_config(type).decoder) out.push_back(type);
  return out;
}

// Three sequences with prompts of 2, 4 and 5 tokens; the completions depend on `variant`.
PackedBatch texts_with_prompts(int64_t variant) {
  PackedBatch batch = pack_examples({0, 1, 2, 3});
  batch.rows.prompt.clear();
  for (int64_t s = 0; s < batch.rows.sequences(); ++s) {
    const int64_t prompt = std::min<int64_t>(batch.rows.length(s), 2 + s);
    batch.rows.prompt.push_back(prompt);
    for (int64_t r = batch.rows.offsets[s] + prompt; r < batch.rows.offsets[s + 1]; ++r)
      batch.ids[r] = 4 + (variant * 7 + r * 3) % 36;
  }
  return batch;
}

TEST(MolexPrompt, NoCompletionTokenChangesAChoiceOrAnythingBeforeItself) {
  for (const std::string& type : decoders())
    for (const std::string yaml :
         {"", "reduce: mean", "gate: {kind: cosine, projection: 4, cosine_axis: sequence}",
          "gate: {sharing: per_layer, gradient: straight_through}\nalpha: {kind: learned}"}) {
      SCOPED_TRACE(type + ", " + yaml);
      Attached run(tiny_config(type), "molex", yaml);
      perturb(run.trainables(), 0.5);
      const at::NoGradGuard no_grad;
      const PackedBatch one = texts_with_prompts(0), two = texts_with_prompts(1);
      ASSERT_FALSE(at::equal(one.ids, two.ids));
      ForwardContext first = run.context(), second = run.context();
      const Tensor a = run.model->last_hidden_state(one, first);
      const Tensor b = run.model->last_hidden_state(two, second);
      for (int64_t t = 0; t < 4; ++t) EXPECT_EQ(decision(first, t), decision(second, t)) << t;
      for (int64_t s = 0; s < one.rows.sequences(); ++s) {
        const int64_t begin = one.rows.offsets[s], prompt = one.rows.prompt[s];
        EXPECT_SAME(a.narrow(0, begin, prompt), b.narrow(0, begin, prompt)) << s;
      }
    }
}

// The counterpart of the test above with votes of all tokens.
TEST(MolexPrompt, ACompletionTokenChangesChoicesUnderSequenceVotes) {
  Attached run(tiny_config("gpt2"), "molex", "scope: sequence\ngate: {sharing: per_layer}");
  perturb(run.trainables(), 0.5);
  const at::NoGradGuard no_grad;
  bool differs = false;
  ForwardContext first = run.context();
  run.model->last_hidden_state(texts_with_prompts(0), first);
  for (int64_t variant = 1; variant < 8; ++variant) {
    ForwardContext other = run.context();
    run.model->last_hidden_state(texts_with_prompts(variant), other);
    for (int64_t t = 0; t < 4; ++t) differs |= decision(first, t) != decision(other, t);
  }
  EXPECT_TRUE(differs);
}

TEST(MolexPrompt, IsTheWholeSequenceInClassification) {
  const auto choices = [](const std::string& yaml) {
    Attached run(tiny_config("llama"), "molex", yaml + "\ngate: {sharing: per_layer}");
    perturb(run.trainables(), 0.5);
    ForwardContext c = run.context();
    run.model->logits(pack_examples({0, 1, 2, 3, 4, 5}), c);
    std::vector<LayerChoice> out;
    for (int64_t t = 0; t < 4; ++t) out.push_back(decision(c, t));
    return out;
  };
  EXPECT_EQ(choices("prompt_tokens: 1"), choices("scope: sequence"));
}

// An even blend prevents a small model from learning: bench/results/quality.md.
TEST(MolexDefaults, BlendIsSmallIfFixedAndEvenIfLearned) {
  for (const bool causal : {false, true}) {
    const auto blend = [&](const std::string& yaml) {
      return *specs_from("molex", yaml, {4, causal}).back().blend;
    };
    EXPECT_EQ(blend("").own, 0.95);
    EXPECT_EQ(blend("").other, 0.05);
    EXPECT_EQ(blend("alpha: {kind: learned}").own, 0.5);
    EXPECT_EQ(blend("alpha: {kind: learned}").other, 0.5);
  }
}

// The authors' GPT-2 code: 0.95 and 0.05, a limit of k that mixes k layers, raw learned weights if
// they are shared, no balance loss in evaluation.
TEST(MolexReference, OnDecodersMatchesTheGpt2CodeNotTheRobertaCode) {
  const auto blend = [](const std::string& type, const std::string& yaml) {
    return *specs_from("molex", "compat: reference\n" + yaml, {4, type == "gpt2"}).back().blend;
  };
  EXPECT_EQ(blend("gpt2", "").own, 0.95);
  EXPECT_EQ(blend("gpt2", "").other, 0.05);
  EXPECT_EQ(blend("roberta", "").own, 0.5);
  EXPECT_FALSE(blend("gpt2", "").raw);
  EXPECT_TRUE(blend("gpt2", "alpha: {kind: learned}").raw);
  EXPECT_FALSE(blend("gpt2", "alpha: {kind: learned, sharing: per_layer}").raw);
  EXPECT_FALSE(blend("gpt2", "alpha: {kind: learned}\ngate: {sharing: per_layer}").raw);
  EXPECT_FALSE(blend("roberta", "alpha: {kind: learned}").raw);

  const auto mixed = [](const std::string& type) {
    Attached run(tiny_config(type), "molex", "compat: reference\nlayers_to_transform: 2");
    ForwardContext c = run.context();
    RoutingRecord record;
    c.record = &record;
    run.model->logits(pack_examples({0, 1}), c);
    return record.choices.sum(1);
  };
  EXPECT_TRUE(at::equal(mixed("gpt2"), at::tensor({1, 1, 0, 0}, at::kLong)));
  EXPECT_TRUE(at::equal(mixed("roberta"), at::tensor({1, 1, 1, 0}, at::kLong)));

  for (const std::string type : {"gpt2", "roberta"}) {
    Attached run(tiny_config(type), "molex", "compat: reference");
    EXPECT_EQ(run.attachment->losses.at(0).in_evaluation, type == "roberta");
  }
}

TEST(MolexReference, RawLearnedWeightsAreUsedWithoutSoftmax) {
  HandMadeStack made(1);
  made.causal = true;
  made.add_constant(1);
  made.add_constant(10);
  made.attach_molex(
      "compat: reference\nlayers_to_transform: '[0]'\nalpha: {kind: learned, main: 0.7, other: "
      "0.6}");
  std::vector<Tensor> hidden;
  made.stack.hidden_states = &hidden;
  ForwardContext c = made.context();
  force(c, 0, {1});
  made.stack.forward(at::zeros({1, 1}, at::kDouble), rows_of({1}), c, nullptr);
  EXPECT_NEAR(hidden[1].item<double>(), 6.7, 1e-12);
}

}  // namespace
}  // namespace mixtune::test
