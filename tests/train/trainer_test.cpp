#include "train/trainer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <set>

#include "tiny_run.h"
#include "train/run_folder.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Recorder;
using test::TinyWorld;
using test::user_error;

Json result_of(const fs::path& run) {
  return read_json(run / "result.json");
}

TEST(Train, LearnsAndWritesTheRunFolder) {
  const TinyWorld world;
  Recorder recorder;
  const RunConfig config =
      world.config("a/run", {"train.epochs=12", "train.batch_size=4", "train.learning_rate=1e-2",
                             "method.target_modules=[query, key, value, ffn_up]"});
  const RunResult result = train(config, {.command = "mixtune train"}, recorder);
  EXPECT_EQ(result.steps, 120);
  EXPECT_LT(recorder.steps.back().loss, 0.5 * recorder.steps.front().loss);
  ASSERT_EQ(result.metrics.front().name, "accuracy");
  EXPECT_GT(result.metrics.front().value, 0.6);
  const fs::path run = world.path("a/run");
  for (const char* file :
       {"config.yaml", "environment.json", "events.jsonl", "result.json", "log.txt",
        "adapter/adapter_model.safetensors", "adapter/adapter_config.json"})
    EXPECT_TRUE(fs::exists(run / file)) << file;
  const Json json = result_of(run);
  for (const char* key : {"task", "method", "seed", "steps", "metrics", "trainable_parameters",
                          "tokens_per_second", "peak_memory_bytes", "seconds"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_GT(json["tokens_per_second"].get<double>(), 0);
  EXPECT_GT(json["peak_memory_bytes"].get<int64_t>(), 1000000);
  EXPECT_EQ(json["metrics"]["accuracy"], result.metrics.front().value);
  contains(test::bytes_of(run / "log.txt"), "trainable parameters");
  contains(test::bytes_of(run / "config.yaml"), "# default");
}

TEST(Train, EqualSeedsGiveEqualLossesAndOtherSeedsDoNot) {
  const TinyWorld world;
  test::run(world.config("a"));
  test::run(world.config("b"));
  test::run(world.config("c", {"train.seed=1"}));
  EXPECT_EQ(test::losses(world.path("a")), test::losses(world.path("b")));
  EXPECT_NE(test::losses(world.path("a")), test::losses(world.path("c")));
  for (const char* file : {"adapter_model.safetensors", "adapter_config.json", "mixtune.json"})
    EXPECT_TRUE(test::bytes_of(world.path("a") / "adapter" / file) ==
                test::bytes_of(world.path("b") / "adapter" / file))
        << file;
}

TEST(Train, EveryEpochHasItsOwnOrder) {
  const TinyWorld world(0);
  // At a learning rate of 0 the loss of a step depends only on its examples.
  test::run(world.config("run", {"train.learning_rate=0", "method.lora_dropout=0"}));
  const auto losses = test::losses(world.path("run"));
  std::set<std::string> first, second;
  for (const auto& [step, loss] : losses) (step <= 5 ? first : second).insert(loss);
  EXPECT_EQ(losses.size(), 10u);
  EXPECT_NE(first, second);
}

TEST(Train, KeepsTheLastCheckpointsAndTheBest) {
  const TinyWorld world;
  const RunResult result = test::run(world.config(
      "run", {"train.steps=12", "train.evaluate_every=2", "train.save_every=1", "train.keep=2"}));
  const fs::path checkpoints = world.path("run") / "checkpoints";
  EXPECT_TRUE(fs::exists(checkpoints / "step-12" / "DONE"));
  EXPECT_TRUE(fs::exists(checkpoints / "step-11" / "DONE"));
  ASSERT_GT(result.best_step, 0);
  const std::string best = "step-" + std::to_string(result.best_step);
  EXPECT_EQ(fs::read_symlink(checkpoints / "best"), best);
  EXPECT_TRUE(fs::exists(checkpoints / best / "DONE"));
  int64_t folders = 0;
  for (const auto& entry : fs::directory_iterator(checkpoints)) folders += !entry.is_symlink();
  EXPECT_EQ(folders, result.best_step >= 11 ? 2 : 3);
}

TEST(Train, TheAdapterIsTheBestCheckpoints) {
  const TinyWorld world;
  const RunResult result =
      test::run(world.config("run", {"train.epochs=4", "train.learning_rate=0.02"}));
  const NamedTensors adapter =
      read_tensors(world.path("run/adapter") / "adapter_model.safetensors");
  const NamedTensors best =
      read_tensors(world.path("run/checkpoints/best") / "adapter.safetensors");
  ASSERT_EQ(adapter.size(), best.size());
  for (const auto& [name, tensor] : best) {
    const Tensor* found = find_tensor(adapter, "base_model.model." + name);
    ASSERT_NE(found, nullptr) << name;
    EXPECT_TRUE(at::equal(*found, tensor)) << name;
  }
  EXPECT_EQ(result.evaluation_loss, result_of(world.path("run"))["evaluation_loss"].get<double>());
}

TEST(Train, StopsEarly) {
  const TinyWorld world;
  Recorder recorder;
  // A rate of 0 never improves on the first evaluation.
  const RunResult result = train(
      world.config("run", {"train.epochs=50", "train.learning_rate=0", "train.early_stopping=3"}),
      {}, recorder);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_EQ(recorder.evaluations.size(), 4u);
  EXPECT_EQ(result.steps, 20);
  EXPECT_EQ(result.best_step, 5);
}

TEST(Train, AnInterruptSavesAndReportsHowToResume) {
  const TinyWorld world;
  Recorder recorder;
  recorder.stop_at = 3;
  const RunResult result = train(world.config("run"), {.interrupt = &recorder.stop}, recorder);
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.steps, 3);
  EXPECT_TRUE(fs::exists(world.path("run/checkpoints/step-3") / "DONE"));
  contains(recorder.text, "mixtune resume " + world.path("run").string());
  EXPECT_FALSE(fs::exists(world.path("run") / "result.json"));
}

TEST(Train, AFailureBeforeTheFirstStepLeavesNoFolder) {
  const TinyWorld world;
  EXPECT_THROW(test::run(world.config("x/y/run", {"method.target_modules=[nothing]"})), UserError);
  EXPECT_FALSE(fs::exists(world.path("x")));
  // This one fails in the first step itself.
  contains(
      user_error([&] {
        const TinyWorld broken(0.1, 1e30);
        test::run(broken.config("x/y/run", {"output='" + world.path("x/y/run").string() + "'"}));
      }),
      "non-finite numbers first occur in");
  EXPECT_FALSE(fs::exists(world.path("x")));
  Recorder recorder;
  recorder.stop.store(true);
  EXPECT_TRUE(train(world.config("x/y/run"), {.interrupt = &recorder.stop}, recorder).interrupted);
  EXPECT_FALSE(fs::exists(world.path("x")));
}

TEST(Train, NeverOverwritesWithoutTheOption) {
  const TinyWorld world;
  const RunConfig config = world.config("run");
  test::run(config);
  const std::string before = test::bytes_of(world.path("run") / "result.json");
  contains(user_error([&] { test::run(config); }), "exists already");
  // A failure before the first step restores the old run.
  Recorder recorder;
  recorder.stop.store(true);
  train(config, {.overwrite = true, .interrupt = &recorder.stop}, recorder);
  EXPECT_EQ(test::bytes_of(world.path("run") / "result.json"), before);
  Recorder again;
  train(world.config("run", {"train.seed=5"}), {.overwrite = true}, again);
  EXPECT_EQ(result_of(world.path("run"))["seed"], 5);
  EXPECT_FALSE(fs::exists(world.path("run.replaced")));
  // A folder that is not a run is never removed.
  fs::create_directories(world.path("mine/photos"));
  contains(user_error([&] { train(world.config("mine"), {.overwrite = true}, again); }),
           "is not a run folder");
  EXPECT_TRUE(fs::exists(world.path("mine/photos")));
}

TEST(Train, AFullDiskEndsInOneLineAndLosesNothing) {
  const TinyWorld world;
  Recorder recorder;
  recorder.stop_at = 4;
  const RunConfig config = world.config("run", {"train.save_every=1", "train.keep=1"});
  train(config, {.interrupt = &recorder.stop}, recorder);
  // A limit on file sizes simulates a full disk; it applies to root too.
  const fs::path run = world.path("run");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{}, small{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  small = before;
  small.rlim_cur = 3000;  // events fit, an adapter does not
  ::setrlimit(RLIMIT_FSIZE, &small);
  Recorder again;
  const std::string error = user_error([&] { resume(run, {}, again); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  contains(error, "cannot be written");
  EXPECT_EQ(error.find('\n'), std::string::npos);
  EXPECT_TRUE(fs::exists(run / "checkpoints/step-4/DONE"));
  EXPECT_FALSE(fs::exists(run / "checkpoints/step-5.partial"));
  EXPECT_EQ(resume(run, {}, again).steps, 10);
}

TEST(Train, AnUnwritableOutputEndsInOneLine) {
  const TinyWorld world;
  std::ofstream(world.path("file")) << "not a folder";
  contains(user_error([&] { test::run(world.config("file/run")); }), "file/run");
}

TEST(Train, WritesRoutingIfTheMethodRoutes) {
  const TinyWorld world;
  test::run(world.config("run", {"method=molex", "train.epochs=1"}));
  const NamedTensors routing = read_tensors(world.path("run") / "routing.safetensors");
  const Tensor* choices = find_tensor(routing, "choices");
  ASSERT_NE(choices, nullptr);
  EXPECT_EQ(choices->sizes(), at::IntArrayRef({2, 2}));
  EXPECT_EQ(choices->sum().item<int64_t>(), 2 * 24);  // positions x sequences
  ASSERT_NE(find_tensor(routing, "entropy"), nullptr);
}

// Without evaluations, routing.safetensors has the routing of the last step, and events.jsonl that
// of all recorded steps.
TEST(Train, RecordsTheRoutingOfExpertsWhileItTrains) {
  const TinyWorld world;
  test::run(world.config("run", {"method={name: dynmole, num_experts: 3, r: 2}", "train.epochs=1",
                                 "train.evaluate_every=never"}));
  const NamedTensors routing = read_tensors(world.path("run") / "routing.safetensors");
  const std::string load = "bert.encoder.layer.0.intermediate.dense.load";
  ASSERT_NE(find_tensor(routing, load), nullptr);
  EXPECT_EQ(find_tensor(routing, load)->numel(), 3);
  int64_t events = 0;
  for (const Json& event : read_events(world.path("run") / "events.jsonl"))
    if (event.at("event") == "routing") {
      ++events;
      EXPECT_EQ(event.at("phase"), "train");
      double sum = 0;
      for (const Json& tokens : event.at(load)) sum += tokens.get<double>();
      EXPECT_GE(sum, 2 * event.at(load.substr(0, load.size() - 4) + "routing")[0].get<double>());
    }
  EXPECT_EQ(events, read_result(world.path("run"))->steps);  // few steps: each of them
}

TEST(Train, EveryMethodTrains) {
  const TinyWorld world;
  for (const MethodEntry& method : methods().entries()) {
    SCOPED_TRACE(method.name);
    const RunResult result =
        test::run(world.config(method.name, {"method=" + method.name, "train.steps=3"}));
    EXPECT_EQ(result.steps, 3);
    EXPECT_GT(result.trainable_parameters, 0);
    const NamedTensors adapter =
        read_tensors(world.path(method.name) / "adapter/adapter_model.safetensors");
    EXPECT_FALSE(adapter.empty());
    // B starts as zeros; that of an expert stays zero until a token is routed to it.
    for (const auto& [name, tensor] : adapter)
      if (name.find(".lora_B") != name.npos && name.find(".experts.") == name.npos) {
        EXPECT_GT(tensor.abs().max().item<double>(), 0) << name;
      }
  }
}

TEST(Train, AFractionOfAnEpochIsSomeOfItsSteps) {
  const TinyWorld world;
  EXPECT_EQ(test::run(world.config("run", {"train.epochs=1.5"})).steps, 8);  // 5 + 2.5, rounded up
}

}  // namespace
}  // namespace mixtune
