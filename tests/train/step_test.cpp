#include "train/step.h"

#include <gtest/gtest.h>

#include "support/rounding.h"
#include "tiny_run.h"
#include "train/optimizer.h"

namespace mixtune {
namespace {

using test::Recorder;
using test::TinyWorld;

struct AfterSteps {
  Tensor gradients;
  StepLosses losses;
};

AfterSteps first_step(const TinyWorld& world, const std::vector<std::string>& overrides) {
  Recorder recorder;
  const auto session = open_session(world.config("unused", overrides), {}, recorder);
  const TrainSettings& t = session->config.train;
  std::vector<int64_t> lengths;
  for (const auto& e : session->train.examples)
    lengths.push_back(static_cast<int64_t>(e.ids.size()));
  const BatchPlan plan(lengths, {.batch_size = t.batch_size, .accumulate = t.accumulate}, 0);
  Reducer alone;
  AfterSteps out;
  out.losses =
      accumulate_gradients(*session, plan.epoch(0)[0],
                           {.seed = 9, .step = 1, .label_smoothing = t.label_smoothing}, alone);
  out.gradients = session->attachment->trainables.gradients.clone();
  return out;
}

// Equal up to the order in which float32 adds a few hundred tokens.
void expect_equal(const AfterSteps& a, const AfterSteps& b) {
  EXPECT_NEAR(a.losses.task, b.losses.task, 2e-6 * std::max(1.0, b.losses.task));
  EXPECT_LT((a.gradients - b.gradients).abs().max().item<double>(),
            2e-6 * test::size_of(b.gradients));
}

TEST(Accumulation, EqualsTheLargeBatchWithDropout) {
  const TinyWorld world;
  const std::vector<std::string> method = {"method.target_modules=[all-linear]",
                                           "train.label_smoothing=0.1"};
  const auto with = [&](const std::string& size, const std::string& accumulate) {
    std::vector<std::string> all = method;
    all.push_back("train.batch_size=" + size);
    all.push_back("train.accumulate=" + accumulate);
    return first_step(world, all);
  };
  const AfterSteps large = with("8", "1"), small = with("1", "8"), middle = with("4", "2");
  EXPECT_GT(large.gradients.norm().item<double>(), 1e-3);
  for (const AfterSteps* other : {&small, &middle}) {
    expect_equal(*other, large);
    EXPECT_EQ(large.losses.tokens, other->losses.tokens);
    EXPECT_EQ(large.losses.sequences, 8);
  }
}

TEST(Accumulation, SequencesOfUnequalLengthCountOnceEach) {
  // A mean of means would weigh the last, smaller micro-batch as much as the others.
  const TinyWorld world(0);
  const AfterSteps large = first_step(world, {"train.batch_size=40", "method.lora_dropout=0"});
  const AfterSteps uneven =
      first_step(world, {"train.batch_size=16", "train.accumulate=3", "method.lora_dropout=0"});
  EXPECT_EQ(uneven.losses.sequences, 40);  // 16 + 16 + 8
  expect_equal(uneven, large);
}

TEST(Accumulation, AuxiliaryLossesAreMeansOverMicroBatches) {
  const TinyWorld world(0);
  const std::string molex = "method={name: molex, over: null, balance: 0.5}";
  const AfterSteps step = first_step(world, {molex, "train.batch_size=4", "train.accumulate=2"});
  ASSERT_EQ(step.losses.auxiliary.size(), 1u);
  EXPECT_EQ(step.losses.auxiliary[0].first, "balance");
  EXPECT_GT(step.losses.auxiliary[0].second, 0);
}

TEST(Accumulation, GradientsDoNotAccumulateOverSteps) {
  const TinyWorld world(0);
  Recorder recorder;
  const auto session =
      open_session(world.config("unused", {"method.lora_dropout=0"}), {}, recorder);
  Reducer alone;
  const StepBatches batch = {{0, 1, 2, 3}};
  accumulate_gradients(*session, batch, {.step = 1}, alone);
  const Tensor once = session->attachment->trainables.gradients.clone();
  accumulate_gradients(*session, batch, {.step = 2}, alone);
  EXPECT_TRUE(at::equal(once, session->attachment->trainables.gradients));
}

}  // namespace
}  // namespace mixtune
