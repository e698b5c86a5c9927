// A run that is stopped at any step and resumed equals the run that was never stopped: equal
// losses, digit by digit, and equal weights, byte by byte, with dropout on.
#include <gtest/gtest.h>

#include "tiny_run.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;
using test::Recorder;
using test::TinyWorld;

// Trains until `stop` steps are done, removes what a kill at that moment would not have saved, and
// resumes.
void train_with_a_kill(const RunConfig& config, const fs::path& run, int64_t stop) {
  Recorder recorder;
  recorder.stop_at = stop;
  const RunResult first = train(config, {.interrupt = &recorder.stop}, recorder);
  ASSERT_TRUE(first.interrupted);
  // A kill saves nothing, so the checkpoint of the interrupt is removed unless it was due anyway.
  const int64_t every = std::stoll(config.train.save_every);
  if (stop % every != 0) fs::remove_all(run / "checkpoints" / ("step-" + std::to_string(stop)));
  Recorder again;
  resume(run, {}, again);
}

void expect_equal_runs(const fs::path& a, const fs::path& b) {
  EXPECT_EQ(test::losses(a), test::losses(b));
  const bool equal_weights = test::bytes_of(a / "adapter" / "adapter_model.safetensors") ==
                             test::bytes_of(b / "adapter" / "adapter_model.safetensors");
  EXPECT_TRUE(equal_weights);
}

TEST(Resume, IsExactAtAnyStepWithDropout) {
  const TinyWorld world;
  const std::vector<std::string> options = {"train.steps=20", "train.save_every=4",
                                            "train.evaluate_every=never", "train.keep=2"};
  const RunConfig whole = world.config("whole", options);
  test::run(whole);
  ASSERT_EQ(test::losses(world.path("whole")).size(), 20u);
  for (const int64_t stop : {1, 4, 7, 13, 19}) {
    const std::string name = "stopped-" + std::to_string(stop);
    train_with_a_kill(world.config(name, options), world.path(name), stop);
    expect_equal_runs(world.path("whole"), world.path(name));
    if (HasFailure()) FAIL() << "stopped after step " << stop;
  }
}

TEST(Resume, IsExactForMolexOverLoraWithEvaluationAndAccumulation) {
  const TinyWorld world;
  const std::vector<std::string> options = {
      "method={name: molex, over: {name: lora, r: 4, lora_dropout: 0.1}, gate: {gradient: "
      "probability}}",
      "train.steps=14",
      "train.save_every=5",
      "train.evaluate_every=4",
      "train.clip=0.5",
      "train.accumulate=2",
      "train.batch_size=4",
      "train.weight_decay=0.1"};
  test::run(world.config("whole", options));
  for (const int64_t stop : {3, 9, 13}) {
    const std::string name = "stopped-" + std::to_string(stop);
    train_with_a_kill(world.config(name, options), world.path(name), stop);
    expect_equal_runs(world.path("whole"), world.path(name));
  }
}

// Before the first pruning, between two prunings, and after the final ranks are reached.
TEST(Resume, IsExactForARankBudget) {
  const TinyWorld world;
  const std::vector<std::string> options = {
      "method={name: adalora, init_r: 4, target_r: 2, tinit: 4, tfinal: 5, deltaT: 2}",
      "train.steps=16", "train.save_every=3", "train.evaluate_every=never"};
  test::run(world.config("whole", options));
  for (const int64_t stop : {3, 8, 13}) {
    const std::string name = "stopped-" + std::to_string(stop);
    train_with_a_kill(world.config(name, options), world.path(name), stop);
    expect_equal_runs(world.path("whole"), world.path(name));
  }
}

TEST(Resume, IsExactForTokenBatches) {
  const TinyWorld world;
  const std::vector<std::string> options = {"train.batch_tokens=48", "train.steps=17",
                                            "train.save_every=6"};
  test::run(world.config("whole", options));
  train_with_a_kill(world.config("stopped", options), world.path("stopped"), 11);
  expect_equal_runs(world.path("whole"), world.path("stopped"));
}

TEST(Resume, SurvivesATornCheckpointAndATornEvent) {
  const TinyWorld world;
  const std::vector<std::string> options = {"train.steps=12", "train.save_every=4",
                                            "train.evaluate_every=never"};
  test::run(world.config("whole", options));
  Recorder recorder;
  recorder.stop_at = 8;
  train(world.config("torn", options), {.interrupt = &recorder.stop}, recorder);
  const fs::path run = world.path("torn");
  fs::remove(run / "checkpoints" / "step-8" / "DONE");
  fs::create_directories(run / "checkpoints" / "step-12.partial");
  std::ofstream(run / "events.jsonl", std::ios::app) << "{\"event\": \"st";
  Recorder again;
  resume(run, {}, again);
  test::contains(again.text, "resuming from step 4");
  expect_equal_runs(world.path("whole"), run);
  EXPECT_FALSE(fs::exists(run / "checkpoints" / "step-12.partial"));
}

TEST(Resume, RejectsAnotherConfigOrOtherDataUnlessAllowed) {
  const TinyWorld world;
  Recorder recorder;
  recorder.stop_at = 4;
  train(world.config("run"), {.interrupt = &recorder.stop}, recorder);
  const fs::path run = world.path("run");
  const std::string saved = test::bytes_of(run / "config.yaml");
  std::string changed = saved;
  changed.replace(changed.find("learning_rate: 0.002"), 20, "learning_rate: 0.003");
  std::ofstream(run / "config.yaml") << changed;
  test::contains(test::user_error([&] { resume(run, {}, recorder); }),
                 "train.learning_rate was 0.002 and is 0.003");
  std::ofstream(run / "config.yaml") << saved;
  world.write_data(2);
  std::ofstream(world.data() / "train.tsv", std::ios::app) << "the sky\tblue\n";
  test::contains(test::user_error([&] { resume(run, {}, recorder); }), "the data changed");
  Recorder again;
  again.stop.store(false);
  EXPECT_EQ(resume(run, {.allow_changed = true}, again).steps,
            12);  // 41 examples: 6 steps an epoch
  test::contains(again.text, "warning: changed since the checkpoint: the data changed");
}

TEST(Resume, RejectsAnotherTokenizerAndAnotherModelOfTheSameSize) {
  const TinyWorld world;
  Recorder recorder;
  recorder.stop_at = 4;
  train(world.config("run"), {.interrupt = &recorder.stop}, recorder);
  const auto error = [&] {
    return test::user_error([&] { resume(world.path("run"), {}, recorder); });
  };
  const fs::path words = world.model() / "vocab.txt", weights = world.model() / "model.safetensors";
  const std::string saved = test::bytes_of(words);
  std::string swapped = saved;
  const size_t the = swapped.find("\nthe\n") + 1, a = swapped.find("\na\n") + 1;
  ASSERT_TRUE(the != 0 && a != 0);
  swapped.replace(std::max(the, a), the > a ? 3 : 1, the > a ? "a" : "the");
  swapped.replace(std::min(the, a), the > a ? 1 : 3, the > a ? "the" : "a");
  std::ofstream(words) << swapped;
  test::contains(error(), "the tokens changed: another tokenizer");
  std::ofstream(words) << saved;

  std::string bytes = test::bytes_of(weights);
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(weights, std::ios::binary) << bytes;
  test::contains(error(), "the model changed");
}

TEST(Resume, OfAFinishedRunReturnsItsResult) {
  const TinyWorld world;
  const RunResult done = test::run(world.config("run"));
  Recorder recorder;
  const RunResult again = resume(world.path("run"), {}, recorder);
  EXPECT_EQ(again.steps, done.steps);
  EXPECT_EQ(again.metrics.front().value, done.metrics.front().value);
  EXPECT_TRUE(recorder.steps.empty());
}

}  // namespace
}  // namespace mixtune
