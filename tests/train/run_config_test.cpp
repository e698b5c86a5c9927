#include "train/run_config.h"

#include <gtest/gtest.h>

#include "tiny_run.h"

namespace mixtune {
namespace {

RunConfig from(const std::string& yaml) {
  RunConfig out;
  ConfigLayers layers;
  layers.add_text(yaml, "test.yaml");
  layers.apply(out);
  return out;
}

TEST(RunConfig, AMethodAloneIsEnoughForAConfig) {
  const RunConfig config = from("method: {name: lora, r: 4}");
  EXPECT_EQ(config.method.name, "lora");
  EXPECT_TRUE(config.task.name.empty());
  EXPECT_EQ(from(to_yaml(config)).train.learning_rate, 5e-4);
}

TEST(RunConfig, NamesTheOutputAfterTaskMethodAndSeed) {
  EXPECT_EQ(output_folder(from("task: rte\nmethod: molex\ntrain: {seed: 3}")),
            "runs/rte-molex+lora-3");
  EXPECT_EQ(output_folder(from("model: {path: a/b/}\nmethod: lora\noutput: x/{model}")), "x/b");
  test::contains(test::user_error([] { output_folder(from("output: '{sed}'")); }), "{sed}");
}

TEST(RunConfig, RejectsUnknownIntervalsAndDevices) {
  test::contains(test::user_error([] { from("train: {evaluate_every: often}"); }), "epoch, never");
  test::contains(test::user_error([] { from("train: {save_every: 0}"); }), "number of steps");
  test::contains(test::user_error([] { from("device: gpu"); }), "cuda");
  test::contains(test::user_error([] { from("train: {betas: [0.9]}"); }), "two numbers");
  EXPECT_EQ(parse_interval(from("train: {evaluate_every: 50}").train.evaluate_every).steps, 50);
}

TEST(RunConfig, ADeepCopySharesNothing) {
  const RunConfig config = from("method: {name: lora, r: 4}");
  const RunConfig copy = deep_copy(config);
  EXPECT_NE(copy.method.config.get(), config.method.config.get());
  EXPECT_EQ(to_yaml(copy), to_yaml(config));
}

}  // namespace
}  // namespace mixtune
