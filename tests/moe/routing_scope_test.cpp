// Routing scopes: means worked by hand, their effect on decisions, and pooled values that are
// pinned in generation.
#include "moe/routing_scope.h"

#include "nn/key_value_cache.h"
#include "support/hand_made_feed_forward.h"
#include "support/routers.h"

namespace mixtune::test {
namespace {

// Two sequences, (1, 2, 6) with a prompt of two tokens and (8, 10) without one.
const Tensor kScores = matrix({{1, 0}, {2, 0}, {6, 3}, {8, 0}, {10, 4}});
SequenceLayout two_sequences() {
  SequenceLayout rows = rows_of({3, 2});
  rows.prompt = {2, 0};
  return rows;
}

Tensor pooled_by(RoutingScope scope, const SequenceLayout& rows) {
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  return pooled(kScores, scope, Call{rows, {}, context}, "router");
}

TEST(RoutingScope, GivesEachTokenTheMeanOfItsScope) {
  const SequenceLayout rows = two_sequences();
  EXPECT_SAME(pooled_by({}, rows), kScores);
  EXPECT_CLOSE(pooled_by({.level = RoutingScope::Level::sequence}, rows),
               matrix({{3, 1}, {3, 1}, {3, 1}, {9, 2}, {9, 2}}), 1e-12);
  EXPECT_CLOSE(pooled_by({.level = RoutingScope::Level::batch}, rows),
               matrix({{5.4, 1.4}, {5.4, 1.4}, {5.4, 1.4}, {5.4, 1.4}, {5.4, 1.4}}), 1e-12);
  // The prompt of one sequence, and the first token of the other, which has no prompt.
  EXPECT_CLOSE(pooled_by({.level = RoutingScope::Level::prompt, .prompt_tokens = 1}, rows),
               matrix({{1.5, 0}, {1.5, 0}, {1.5, 0}, {8, 0}, {8, 0}}), 1e-12);
  // A shorter sequence is used as a whole.
  EXPECT_CLOSE(pooled_by({.level = RoutingScope::Level::prompt}, rows).narrow(0, 3, 2),
               matrix({{9, 2}, {9, 2}}), 1e-12);
}

// The scores 0 and ln 9 of two tokens for one expert, with 0 for the other, give the probabilities
// 1/2 and 9/10. Their mean is 0.7; the mean score ln 3 has the probability 3/4.
TEST(RoutingScope, PoolingProbabilitiesDiffersFromPoolingScores) {
  const SequenceLayout rows = rows_of({2});
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  const Tensor scores = matrix({{0, 0}, {std::log(9.0), 0}});
  Routing routing{.selection = select_of("all")};
  routing.scope = {.level = RoutingScope::Level::sequence, .of = RoutingScope::Of::scores};
  const auto probabilities = [&] {
    return route_call(scores, 2, routing, Call{rows, {}, context}, "router").probabilities;
  };
  EXPECT_CLOSE(probabilities(), matrix({{0.75, 0.25}, {0.75, 0.25}}), 1e-12);
  routing.scope.of = RoutingScope::Of::probabilities;
  EXPECT_CLOSE(probabilities(), matrix({{0.7, 0.3}, {0.7, 0.3}}), 1e-12);
}

// Two routers of one group are pooled separately: each token's decisions are consecutive, router by
// router.
TEST(RoutingScope, PoolsSeveralRoutersSeparately) {
  const SequenceLayout rows = rows_of({2});
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  Routing routing{.selection = select_of("all")};
  routing.scope.level = RoutingScope::Level::sequence;
  const Tensor scores = matrix({{1, 2, 30, 40}, {3, 6, 50, 80}});
  const Routed routed = route_call(scores, 2, routing, Call{rows, {}, context}, "router");
  EXPECT_CLOSE(routed.logits, matrix({{2, 4}, {40, 60}, {2, 4}, {40, 60}}), 1e-12);
}

TEST(RoutingScope, ThePromptsPooledValuesApplyToGeneratedTokens) {
  for (const auto level : {RoutingScope::Level::prompt, RoutingScope::Level::sequence}) {
    const RoutingScope scope{.level = level};
    Reducer alone;
    ForwardContext context(Phase::evaluate, 0, 0, alone);
    context.sequence_ids = {7, 5};  // this is a pass of generation
    const SequenceLayout prompts = rows_of({3, 2}), next = rows_of({1, 1}),
                         second = rows_of({1}, {1});
    const Tensor first = pooled(kScores, scope, Call{prompts, {}, context}, "router");
    EXPECT_CLOSE(first, matrix({{3, 1}, {3, 1}, {3, 1}, {9, 2}, {9, 2}}), 1e-12);
    const Tensor written = matrix({{70, 70}, {-70, 70}});
    EXPECT_CLOSE(pooled(written, scope, Call{next, {}, context}, "router"),
                 matrix({{3, 1}, {9, 2}}), 1e-12);
    // A layer that runs for one sequence only, and whole sequences that run again.
    EXPECT_CLOSE(pooled(written.narrow(0, 0, 1), scope, Call{second, {}, context}, "router"),
                 matrix({{9, 2}}), 1e-12);
    EXPECT_CLOSE(pooled(10 * kScores, scope, Call{prompts, {}, context}, "router"), first, 1e-12);
    context.keep_sequences({1, 1});
    EXPECT_CLOSE(pooled(written, scope, Call{next, {}, context}, "router"),
                 matrix({{9, 2}, {9, 2}}), 1e-12);
    // Another router, or another run of the layer, has no pooled values yet.
    EXPECT_CLOSE(pooled(written, scope, Call{next, {}, context}, "another"), written, 1e-12);
    EXPECT_CLOSE(pooled(written, scope, Call{next, {.position = 1}, context}, "router"), written,
                 1e-12);
  }
}

TEST(RoutingScope, IsRejectedWithAnAveragedCache) {
  Reducer alone;
  KeyValueCache state(true);
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  context.sequence_ids = {0};
  context.decode = &state;
  const SequenceLayout rows = rows_of({5});
  EXPECT_THROW(
      pooled(kScores, {.level = RoutingScope::Level::prompt}, Call{rows, {}, context}, "router"),
      BugError);
  EXPECT_SAME(pooled(kScores, {}, Call{rows, {}, context}, "router"), kScores);
}

// Below a head that reads one token, the last layer computes only that token, unless routers pool.
TEST(RoutingScope, RunsEveryRowOfTheLastLayer) {
  for (const std::string model : {"bert", "llama"})
    for (const std::string yaml : {"target_modules: [all-linear]\n", "site: feed_forward\n"}) {
      SCOPED_TRACE(model + " " + yaml);
      Attached run(tiny_config(model, 2), "mixture", "scope: {level: sequence}\n" + yaml);
      perturb(run.trainables());
      RoutingRecord record;
      ForwardContext context = run.context(Phase::evaluate);
      context.record = &record;
      const PackedBatch batch = pack_examples({0, 1});
      run.model->logits(batch, context);
      for (const auto& [name, one] : record.experts)
        EXPECT_EQ(one.tokens, batch.rows.tokens()) << name;
    }
}

// With half-precision linears the router computes in float.
TEST(RoutingScope, WorksWithHalfPrecisionLinears) {
  for (const std::string gate : {"linear", "{name: cosine, projection: 3}"}) {
    HandMadeLinear made({{Role::query, "query", 4}}, 5, at::kBFloat16);
    made.attach_method("mixture",
                       "target_modules: [query]\nnum_experts: 3\nr: 2\nscope: {level: sequence}\n"
                       "gate: " +
                           gate + "\n");
    perturb(made.attachment->trainables, 0.7);
    const Tensor y = made.forward(draw({6, 5}, 1, "x").to(at::kBFloat16), Phase::train);
    EXPECT_EQ(y.scalar_type(), at::kBFloat16);
    y.sum().backward();
    EXPECT_TRUE(made.attachment->trainables.gradients.isfinite().all().item<bool>());
  }
}

// Linear scores of a mean are means of linear scores, so the experts of a linear equal those whose
// router reads the mean of the sequence at every token.
TEST(RoutingScope, OfLinearScoresEqualsTheScoreOfTheMean) {
  const auto made = [](const std::string& scope) {
    HandMadeLinear out({{Role::query, "query", 4}, {Role::key, "key", 3}}, 5);
    out.attach_method("mixture", "target_modules: [query, key]\nnum_experts: 3\nr: 2\n" + scope);
    perturb(out.attachment->trainables, 0.7);
    return out;
  };
  HandMadeLinear pools = made("scope: {level: sequence}\n");
  HandMadeLinear tokens = made("");
  const Tensor x = draw({6, 5}, 1, "x").to(at::kDouble);
  RoutingRecord pooled_record, record;
  ForwardContext a = pools.context(), b = tokens.context();
  a.record = &pooled_record;
  b.record = &record;
  pools.forward(x, a);
  tokens.forward(x.mean(0, true).expand({6, 5}).contiguous(), b);
  ASSERT_EQ(record.experts.size(), 2u);
  for (const auto& [name, expected] : record.experts) {
    const ExpertRecord& found = pooled_record.experts.at(name);
    EXPECT_SAME(found.load, expected.load) << name;
    EXPECT_NEAR(found.entropy, expected.entropy, 1e-9) << name;
  }
}

// The cosine router of a linear or of a feed-forward computes the gate's definition on the same
// input.
TEST(RoutingScope, CosineScoresRouteTokensToLowRankExperts) {
  const std::string yaml =
      "num_experts: 3\nr: 2\nselection: all\ngate: {name: cosine, projection: 2}\n";
  HandMadeLinear made({{Role::query, "query", 4}}, 5);
  made.attach_method("mixture", "target_modules: [query]\n" + yaml);
  perturb(made.attachment->trainables, 0.7);
  const Tensor x = draw({6, 5}, 1, "x").to(at::kDouble);
  const auto value = [&](const std::string& name) { return made.value("query.router." + name); };
  const Tensor projected =
      at::linear(x, value("cosine_projector.weight"), value("cosine_projector.bias"));
  const Tensor p = projected / projected.norm(2, {1}, true);
  const Tensor e = value("sim_matrix") / value("sim_matrix").norm(2, {0}, true);
  const Tensor gates = at::softmax(value("temperature").exp() * at::mm(p, e), 1);  // [T, E]
  Tensor y = made.group.base(x, {0, 1});
  for (int64_t n = 0; n < 3; ++n) {
    const std::string expert = "query.experts." + std::to_string(n);
    y = y + gates.narrow(1, n, 1) * 8 *
                at::linear(at::linear(x, made.value(expert + ".lora_A.weight")),
                           made.value(expert + ".lora_B.weight"));
  }
  EXPECT_CLOSE(made.forward(x), y, 1e-12);
  EXPECT_EQ(made.attachment->table.front().parameters, made.attachment->trainables.count());

  HandMadeFeedForward layer({});
  layer.attach_method("mixture", "site: feed_forward\n" + yaml);
  EXPECT_EQ(layer.attachment->trainables.segments().back().name, "mlp.router.temperature");
  EXPECT_EQ(layer.attachment->table.front().parameters, layer.attachment->trainables.count());
}

TEST(RoutingScope, WarnsIfLaterTokensDecide) {
  for (const bool causal : {false, true})
    for (const std::string level : {"token", "sequence", "prompt", "batch"}) {
      auto model = tiny_model(tiny_config("llama", 2));
      const auto attachment =
          attach_method(model->sites(), "mixture", "scope: {level: " + level + "}\n", {}, causal);
      EXPECT_EQ(attachment->warnings.size(),
                causal && (level == "sequence" || level == "batch") ? 1u : 0u)
          << level;
    }
}

}  // namespace
}  // namespace mixtune::test
