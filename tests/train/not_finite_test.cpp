// A run with numbers that are not finite: the last good state is saved, and the run can continue
// from it with a lower learning rate.
#include <gtest/gtest.h>

#include "tiny_run.h"
#include "train/diagnosis.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Recorder;
using test::TinyWorld;
using test::user_error;

// A learning rate that rises from 0 to 1e38: the update of step 2 breaks step 3.
std::vector<std::string> rising(const std::vector<std::string>& more) {
  std::vector<std::string> out = {"train.learning_rate=3e38", "train.warmup=3", "train.steps=12",
                                  "train.save_every=never", "train.evaluate_every=never"};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

void replace(const fs::path& file, const std::string& from, const std::string& to) {
  std::string text = test::bytes_of(file);
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << text;
  std::ofstream(file) << text.replace(at, from.size(), to);
}

bool is_finite(const fs::path& file) {
  for (const auto& [name, tensor] : read_tensors(file))
    if (!tensor.isfinite().all().item<bool>()) return false;
  return true;
}

TEST(NotFinite, SavesTheStateBeforeTheUpdateThatCausedThem) {
  const TinyWorld world;
  const fs::path run = world.path("run");
  const std::string line = user_error([&] { test::run(world.config("run", rising({}))); });
  contains(line, "step 3");
  contains(line, "non-finite numbers first occur in the output of layer");
  contains(line, "'mixtune resume " + run.string() +
                     " --allow-changed' then continues from the checkpoint of step 1");
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_TRUE(is_finite(run / "checkpoints/step-1/adapter.safetensors"));
  EXPECT_TRUE(is_finite(run / "checkpoints/step-1/optimizer.safetensors"));
  EXPECT_FALSE(fs::exists(run / "checkpoints/step-2"));
  EXPECT_FALSE(fs::exists(run / "result.json"));
}

TEST(NotFinite, ContinuesLikeARunThatWasStoppedThere) {
  const TinyWorld world;
  user_error([&] { test::run(world.config("run", rising({}))); });
  Recorder stopped;
  stopped.stop_at = 1;
  train(world.config("stopped", rising({})), {.interrupt = &stopped.stop}, stopped);
  for (const char* name : {"run", "stopped"}) {
    replace(world.path(name) / "config.yaml", "learning_rate: 3e+38", "learning_rate: 2e-3");
    Recorder recorder;
    EXPECT_EQ(resume(world.path(name), {.allow_changed = true}, recorder).steps, 12);
    contains(recorder.text, "resuming from step 1");
  }
  EXPECT_EQ(test::losses(world.path("run")), test::losses(world.path("stopped")));
  EXPECT_EQ(test::bytes_of(world.path("run/adapter/adapter_model.safetensors")),
            test::bytes_of(world.path("stopped/adapter/adapter_model.safetensors")));
}

TEST(NotFinite, ABadCheckpointIsNotResumedAndTheBestStays) {
  const TinyWorld world;
  const fs::path run = world.path("run"), saved = run / "checkpoints";
  // The parameters are finite but far too large, which is detected only after step 2 is saved.
  user_error([&] {
    test::run(world.config("run", rising({"train.learning_rate=1e25", "train.evaluate_every=1",
                                          "train.save_every=1", "train.keep=2"})));
  });
  EXPECT_TRUE(fs::exists(saved / "step-2/NOT_FINITE"));
  EXPECT_EQ(fs::read_symlink(saved / "best"), "step-1");
  Recorder recorder;
  // Without a change it fails again at the same step, and no checkpoint is lost.
  contains(user_error([&] { resume(run, {}, recorder); }),
           "then continues from the checkpoint of step 1");
  contains(recorder.text, "resuming from step 1");
}

TEST(NotFinite, WithoutACheckpointTheRunStartsAgain) {
  const TinyWorld world;
  const fs::path run = world.path("run");
  // No warm-up: the update of step 1 breaks step 2.
  contains(user_error([&] { test::run(world.config("run", rising({"train.warmup=0"}))); }),
           "then continues from the start");
  replace(run / "config.yaml", "learning_rate: 3e+38", "learning_rate: 2e-3");
  Recorder recorder;
  EXPECT_EQ(resume(run, {.allow_changed = true}, recorder).steps, 12);
  contains(recorder.text, "starting again from step 0");
}

TEST(NotFinite, ParametersThatAreNotFiniteAreNeverSaved) {
  const TinyWorld world;
  const fs::path run = world.path("run");
  // The last update breaks them, and there is no later step that would fail.
  const std::string line =
      user_error([&] { test::run(world.config("run", rising({"train.steps=2"}))); });
  contains(line, "step 2: some parameters are not finite after the update");
  contains(line, "then continues from the checkpoint of step 1");
  EXPECT_FALSE(fs::exists(run / "checkpoints/step-2"));
  EXPECT_FALSE(fs::exists(run / "adapter"));
}

TEST(NotFinite, FullFineTuningContinuesFromTheLastGoodCheckpoint) {
  const TinyWorld world;
  const std::vector<std::string> options =
      rising({"method=full", "train.learning_rate=1e25", "train.save_every=1"});
  // Step 3 fails from the checkpoint of step 2, which is set aside; that of step 1 remains.
  contains(user_error([&] { test::run(world.config("run", options)); }),
           "then continues from the checkpoint of step 1");
}

// The result of first_not_finite() if the router at `site` has nan weights.
std::string first_beside_a_broken_router(const TinyWorld& world, const std::string& method,
                                         const std::string& site) {
  Recorder recorder;
  const auto session = open_session(world.config("unused", {"method={name: " + method + "}"}),
                                    {.evaluation_data = false}, recorder);
  const Trainables& trainables = session->attachment->trainables;
  const Segment* weights = trainables.find(site + ".router.weight");
  MIXTUNE_CHECK(weights != nullptr, site);
  {
    const at::NoGradGuard no_grad;
    trainables.value_of(*weights).fill_(std::numeric_limits<double>::quiet_NaN());
  }
  Reducer alone;
  return first_not_finite(*session, StepBatches{MicroBatch{0, 1, 2}}, 9, 1, alone);
}

// Every router after the broken one has a non-finite input.
TEST(FirstNotFinite, IsTheRouterOfALinear) {
  const TinyWorld world;
  for (const std::string site :
       {"bert.encoder.layer.0.output.dense", "bert.encoder.layer.1.intermediate.dense"})
    EXPECT_EQ(first_beside_a_broken_router(world, "mola", site), "the router of " + site);
}

TEST(FirstNotFinite, IsTheRouterOfAFeedForwardInTheOrderOfLayers) {
  const TinyWorld world(0.1, 0.15,
                        11);  // as text, the name of layer 10 comes before that of layer 2
  for (const std::string site : {"bert.encoder.layer.2", "bert.encoder.layer.10"})
    EXPECT_EQ(first_beside_a_broken_router(world, "mixlora", site), "the router of " + site);
}

}  // namespace
}  // namespace mixtune
