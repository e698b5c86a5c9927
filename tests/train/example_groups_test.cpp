// LoRAMoE's localized balancing in a whole run: the group of each example comes from a column of
// the data and reaches the loss.
#include <gtest/gtest.h>

#include "tiny_run.h"

namespace mixtune {
namespace {

using test::Recorder;
using test::TinyWorld;

// One step with four texts of three words each, two of each group.
Recorder& one_step(Recorder& recorder, const std::string& task_options) {
  const TinyWorld world;
  std::ofstream(world.path("mine.csv")) << "text,label,source\n"
                                           "the red house,red,world\n"
                                           "the green tree,green,task\n"
                                           "the blue sky,blue,task\n"
                                           "a red sky,red,world\n";
  train(
      world.config(
          "run", {"task={name: classify, data: '" + world.path("mine.csv").string() +
                      "', dev: null" + task_options + "}",
                  "method={name: loramoe, num_experts: 2, r: 2, balance: 1, delta: 0.5, "
                  "target_modules: [ffn_up], layers_to_transform: [0], router: {init: normal, std: "
                  "0}}",
                  "train.steps=1", "train.batch_size=4"}),
      {}, recorder);
  return recorder;
}

// Routers that are zero give each of two experts the weight 1/2. A text of L tokens has the sums
// 3/4 L for the expert of its group and 1/4 L for the other one; eight numbers of mean L/2. Their
// variance is 8 (L/4)^2 / 7, and that over the squared mean is (8/16) / (7/4) = 2/7.
TEST(ExampleGroups, OfTheDataReachLocalizedBalancing) {
  Recorder recorder;
  const NamedNumbers auxiliary =
      one_step(recorder, ", example_group: source").steps.at(0).auxiliary;
  ASSERT_EQ(auxiliary.size(), 1u);
  EXPECT_EQ(auxiliary[0].first, "variation");
  EXPECT_NEAR(auxiliary[0].second, 2.0 / 7, 1e-5);
  EXPECT_EQ(recorder.text.find("warning: localized"), std::string::npos);
}

TEST(ExampleGroups, WithoutThemBalancingIsZeroAndThePreflightWarns) {
  Recorder recorder;
  EXPECT_EQ(one_step(recorder, "").steps.at(0).auxiliary.at(0).second, 0);
  test::contains(recorder.text, "warning: localized balancing (variation) is on, but no training");
}

}  // namespace
}  // namespace mixtune
