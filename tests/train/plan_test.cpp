// The settings of `train:` reach the steps of a run: learning rates, clipping, the head's learning
// rate, label smoothing.
#include "train/plan.h"

#include <algorithm>
#include <cmath>

#include "tiny_run.h"

namespace mixtune::test {
namespace {

std::vector<double> rates_of_a_run(const std::vector<std::string>& overrides) {
  const TinyWorld world;
  Recorder recorder;
  train(world.config("run", overrides), {}, recorder);
  std::vector<double> out;
  for (const StepReport& step : recorder.steps) out.push_back(step.learning_rate);
  return out;
}

// The adapter of a run after its last step.
NamedTensors trained_adapter(const TinyWorld& world, const std::string& name,
                             std::vector<std::string> overrides = {}) {
  overrides.emplace_back("train.evaluate_every=never");
  run(world.config(name, overrides));
  return read_tensors(world.path(name) / "adapter/adapter_model.safetensors");
}

// The largest element of all B, which start as zeros.
double largest_up(const NamedTensors& adapter) {
  double out = 0;
  for (const auto& [name, tensor] : adapter)
    if (name.find(".lora_B") != name.npos) out = std::max(out, tensor.abs().max().item<double>());
  return out;
}

// 40 examples in batches of 8, twice, are 10 steps: 0 and 1/2 of 2e-3, then (10 - step) / (10 - 2).
TEST(Plan, ARateRisesFromZeroAndFallsTowardsTheEnd) {
  const std::vector<double> rates = rates_of_a_run({});
  const std::vector<double> eighths = {0, 4, 8, 7, 6, 5, 4, 3, 2, 1};
  ASSERT_EQ(rates.size(), eighths.size());
  for (size_t step = 0; step < rates.size(); ++step)
    EXPECT_DOUBLE_EQ(rates[step], 2e-3 * eighths[step] / 8) << step;
}

TEST(Plan, AConstantRateWithoutWarmUpAppliesFromTheFirstStep) {
  EXPECT_EQ(rates_of_a_run({"train.schedule=constant", "train.warmup=0", "train.steps=3"}),
            std::vector<double>(3, 2e-3));
}

TEST(Plan, EverySettingReachesTheSchedule) {
  RunConfig config;
  ConfigLayers layers;
  layers.add_text(
      "train: {schedule: polynomial, warmup: 0.25, schedule_end: 0.125, schedule_cycles: 3, "
      "schedule_power: 2, schedule_decay: 0.5}",
      "test");
  layers.apply(config);
  const Schedule schedule = schedule_of(config.train, 8);
  EXPECT_EQ(schedule.kind, Schedule::Kind::polynomial);
  EXPECT_EQ(schedule.total_steps, 8);
  EXPECT_EQ(schedule.warmup_steps, 2);  // a quarter of 8
  EXPECT_EQ(schedule.end, 0.125);
  EXPECT_EQ(schedule.cycles, 3);
  EXPECT_EQ(schedule.power, 2);
  EXPECT_EQ(schedule.decay_steps, 4);  // half of 8
}

// AdamW moves by rate x mean / (root + 1e-8), which does not depend on the size of gradients unless
// they are far below 1e-8: of at most 1e-12 it is at most rate x 1e-4. The rates of the 10 steps
// add up to 5 x 2e-3.
TEST(Plan, GradientsAreClippedToTheGivenNorm) {
  const TinyWorld world;
  EXPECT_GT(largest_up(trained_adapter(world, "plain")), 1e-4);
  const double clipped = largest_up(trained_adapter(world, "clipped", {"train.clip=1e-12"}));
  EXPECT_GT(clipped, 0);
  EXPECT_LT(clipped, 1e-6);
}

TEST(Plan, AHeadWhoseRateIsZeroKeepsItsInitialWeights) {
  const TinyWorld world;
  const std::string still = "train.head_learning_rate=0";
  Recorder recorder;
  const NamedTensors start =
      open_session(world.config("unused", {still}), {}, recorder)->attachment->state();
  const NamedTensors fixed = trained_adapter(world, "fixed", {still});
  const NamedTensors moved = trained_adapter(world, "moved");
  for (const std::string name : {"classifier.weight", "classifier.bias"}) {
    const Tensor* before = find_tensor(start, name);
    const Tensor* kept = find_tensor(fixed, "base_model.model." + name);
    const Tensor* other = find_tensor(moved, "base_model.model." + name);
    ASSERT_TRUE(before && kept && other) << name;
    EXPECT_TRUE(at::equal(*kept, *before)) << name;
    EXPECT_FALSE(at::equal(*other, *before)) << name;
  }
  EXPECT_GT(largest_up(fixed), 0);
}

// (1 - smoothing) x the target's -log p + smoothing x the mean of all classes: linear in smoothing.
TEST(Plan, LabelSmoothingReachesTheLoss) {
  const TinyWorld world;
  std::vector<double> first;
  for (const std::string smoothing : {"0", "0.1", "0.2"}) {
    Recorder recorder;
    train(world.config("run-" + smoothing, {"train.steps=1", "train.label_smoothing=" + smoothing}),
          {}, recorder);
    first.push_back(recorder.steps.at(0).loss);
  }
  EXPECT_GT(std::abs(first[1] - first[0]), 1e-5);
  EXPECT_NEAR(first[2] - first[0], 2 * (first[1] - first[0]), 1e-6);
}

}  // namespace
}  // namespace mixtune::test
