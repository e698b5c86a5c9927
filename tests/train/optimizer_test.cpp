#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "train/plan.h"

namespace mixtune {
namespace {

// Trainables with one leaf per (group, decays).
struct Leaves {
  explicit Leaves(std::vector<std::pair<std::string, bool>> kinds,
                  at::ScalarType type = at::kDouble) {
    tensors.reserve(kinds.size());
    for (const auto& [group, decays] : kinds) {
      tensors.push_back(at::ones({3}, type));
      trainables.add(&tensors.back(), {{"t" + std::to_string(tensors.size()), group, {3}, decays}});
    }
    trainables.build();
    trainables.gradients.fill_(0.5);
  }
  std::vector<Tensor> tensors;
  Trainables trainables;
};

TEST(AdamW, FirstStepMovesByTheRateAgainstTheSignOfTheGradient) {
  Leaves leaves({{"adapter", true}});
  AdamW adamw(leaves.trainables, {.defaults = {0.1, 0}, .groups = {}});
  adamw.step(1);
  EXPECT_NEAR(leaves.tensors[0][0].item<double>(), 1 - 0.1 * 0.5 / (0.5 + 1e-8), 1e-12);
}

TEST(AdamW, DecayIsDecoupledAndOnlyWhereASegmentDecays) {
  Leaves leaves({{"adapter", true}, {"adapter", false}});
  leaves.trainables.gradients.zero_();
  AdamW adamw(leaves.trainables, {.defaults = {0.1, 0.2}, .groups = {}});
  adamw.step(1);
  EXPECT_NEAR(leaves.tensors[0][0].item<double>(), 1 - 0.1 * 0.2, 1e-12);
  EXPECT_EQ(leaves.tensors[1][0].item<double>(), 1);
}

TEST(AdamW, AGroupHasItsOwnRateAndDecay) {
  Leaves leaves({{"adapter", true}, {"gate", true}});
  leaves.trainables.gradients.zero_();
  AdamW adamw(leaves.trainables, {.defaults = {0.1, 0}, .groups = {{"gate", {0.3, 0.5}}}});
  adamw.step(0.5);
  EXPECT_EQ(leaves.tensors[0][0].item<double>(), 1);
  EXPECT_NEAR(leaves.tensors[1][0].item<double>(), 1 - 0.15 * 0.5, 1e-12);
}

TEST(AdamW, FloatsAndDoublesAndScaledGradientsAgree) {
  Leaves a({{"adapter", true}}, at::kFloat), b({{"adapter", true}}, at::kDouble);
  AdamW fa(a.trainables, {.defaults = {0.01, 0.1}, .groups = {}});
  AdamW fb(b.trainables, {.defaults = {0.01, 0.1}, .groups = {}});
  for (int t = 1; t < 20; ++t) {
    a.trainables.gradients.fill_(std::sin(t));
    b.trainables.gradients.fill_(4 * std::sin(t));
    fa.step(1);
    fb.step(1, 0.25);
  }
  // A weight near one is rounded once per step.
  EXPECT_NEAR(a.tensors[0][0].item<double>(), b.tensors[0][0].item<double>(),
              20 * std::numeric_limits<float>::epsilon());
}

TEST(AdamW, DoesNotDependOnTheNumberOfThreads) {
  std::vector<Tensor> results;
  const int before = at::get_num_threads();
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    Tensor leaf = at::linspace(-1, 1, 100001);
    Trainables trainables;
    trainables.add(&leaf, {{"x", "adapter", {100001}}});
    trainables.build();
    trainables.gradients.copy_(at::linspace(-3, 2, 100001));
    AdamW adamw(trainables, {.defaults = {0.01, 0.1}, .groups = {}});
    const double norm = global_norm(trainables.gradients);
    adamw.step(1, clip_scale(norm, 1));
    results.push_back(at::cat({trainables.values.clone(), at::full({1}, norm)}));
  }
  at::set_num_threads(before);
  EXPECT_TRUE(at::equal(results[0], results[1]));
}

TEST(Clipping, ScalesToTheLimitAndLeavesSmallGradientsAlone) {
  const Tensor g = at::tensor({3.0, 4.0}, at::kFloat);
  EXPECT_DOUBLE_EQ(global_norm(g), 5);
  EXPECT_DOUBLE_EQ(clip_scale(5, 1), 1 / (5 + 1e-6));
  EXPECT_EQ(clip_scale(0.5, 1), 1);
  EXPECT_TRUE(std::isnan(global_norm(at::tensor({1.0, std::nan("")}, at::kFloat))));
}

TEST(OptimizerOptions, AreThoseOfTheConfig) {
  RunConfig config;
  ConfigLayers layers;
  layers.add_text(
      "train: {learning_rate: 0.25, head_learning_rate: 0.5, weight_decay: 0.125, "
      "betas: [0.75, 0.875], epsilon: 0.0625}",
      "test");
  layers.apply(config);
  Attachment attachment;
  attachment.groups["gate"] = {.learning_rate = 2, .weight_decay = {}};
  const AdamWOptions options = optimizer_options(config.train, attachment);
  EXPECT_EQ(options.beta1, 0.75);
  EXPECT_EQ(options.beta2, 0.875);
  EXPECT_EQ(options.epsilon, 0.0625);
  EXPECT_EQ(options.defaults.learning_rate, 0.25);
  EXPECT_EQ(options.defaults.weight_decay, 0.125);
  EXPECT_EQ(options.groups.at("head").learning_rate, 0.5);
  EXPECT_EQ(options.groups.at("head").weight_decay, 0.125);
  EXPECT_EQ(options.groups.at("gate").learning_rate, 2);
  EXPECT_EQ(options.groups.at("gate").weight_decay, 0.125);
  config.train.head_learning_rate.reset();
  EXPECT_FALSE(optimizer_options(config.train, attachment).groups.contains("head"));
}

// LoRA+ uses a multiple of the learning rate that the run or the method sets.
TEST(OptimizerOptions, ARatioMultipliesTheRateOfTheGroupOrTheRun) {
  TrainSettings train;
  train.learning_rate = 0.25;
  Attachment attachment;
  attachment.groups["up"].learning_rate_ratio = 16;
  attachment.groups["own"] = {.learning_rate = 0.5, .weight_decay = {}, .learning_rate_ratio = 2};
  const AdamWOptions options = optimizer_options(train, attachment);
  EXPECT_EQ(options.groups.at("up").learning_rate, 4);
  EXPECT_EQ(options.groups.at("own").learning_rate, 1);
}

}  // namespace
}  // namespace mixtune
