// Starting from an adapter, and opening a run or an adapter for prediction.
#include <gtest/gtest.h>

#include "support/rounding.h"
#include "tiny_run.h"
#include "train/evaluate.h"
#include "train/predictor.h"

namespace mixtune {
namespace {

using test::contains;
using test::Recorder;
using test::TinyWorld;
using test::user_error;

TEST(StartFromAnAdapter, TakesItsTensorsAndItsHead) {
  const TinyWorld world;
  test::run(world.config("first"));
  Recorder recorder;
  const auto session = open_session(
      world.config("second", {"model.adapter=" + world.path("first").string()}), {}, recorder);
  const NamedTensors adapter =
      read_tensors(world.path("first/adapter") / "adapter_model.safetensors");
  for (const auto& [name, tensor] : session->attachment->state())
    EXPECT_TRUE(at::equal(*find_tensor(adapter, "base_model.model." + name), tensor)) << name;
  EXPECT_TRUE(session->adapter_report.newly_initialized.empty());
  EXPECT_EQ(test::run(session->config).steps, 10);
}

TEST(StartFromAnAdapter, InitializesANewHeadForAnotherNumberOfLabels) {
  const TinyWorld world;
  test::run(world.config("first"));
  world.write_data(2);
  Recorder recorder;
  const auto session = open_session(
      world.config("second", {"model.adapter=" + world.path("first").string()}), {}, recorder);
  EXPECT_EQ(session->adapter_report.newly_initialized,
            (std::vector<std::string>{"classifier.weight", "classifier.bias"}));
  contains(recorder.text, "classifier.weight");
}

TEST(StartFromAnAdapter, RejectsAMismatchOfShapesOptionsOrMethod) {
  const TinyWorld world;
  test::run(world.config("first"));
  Recorder recorder;
  const auto error = [&](std::vector<std::string> overrides) {
    overrides.push_back("model.adapter=" + world.path("first").string());
    return user_error([&] { open_session(world.config("second", overrides), {}, recorder); });
  };
  contains(error({"method.r=8"}), "has shape [4, 32]; this run has [8, 32]");
  contains(error({"method.lora_alpha=32"}), "method.lora_alpha is 16.0 in the adapter, 32.0 here");
  contains(error({"method.target_modules=[query]"}), "do not match");
  contains(error({"method.target_modules=[query, key, value]"}), "are missing");
  contains(error({"method=bitfit"}), "was trained with the method lora");
}

class StartAround : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(LayerExperts, StartAround,
                         ::testing::Values("molex", "{name: mixture, site: layer}"),
                         [](const auto& info) { return info.index == 0 ? "molex" : "mixture"; });

TEST_P(StartAround, TheMethodOfTheAdapter) {
  const TinyWorld world;
  test::run(world.config("first"));
  Recorder recorder;
  const RunConfig config =
      world.config("second", {"method=" + GetParam(), "method.over=lora", "method.over.r=4",
                              "model.adapter=" + world.path("first").string()});
  EXPECT_TRUE(method_title(config.method).ends_with("+lora"));
  const auto session = open_session(config, {}, recorder);
  const NamedTensors adapter =
      read_tensors(world.path("first/adapter") / "adapter_model.safetensors");
  for (const auto& [name, tensor] : session->attachment->state()) {
    if (name.starts_with("molex.")) continue;
    EXPECT_TRUE(at::equal(*find_tensor(adapter, "base_model.model." + name), tensor)) << name;
  }
  EXPECT_EQ(session->adapter_report.newly_initialized,
            (std::vector<std::string>{"molex.gate.weight", "molex.gate.bias"}));
  contains(recorder.text, "molex.gate.weight");
  EXPECT_EQ(test::run(config).steps, 10);
  contains(user_error([&] {
             open_session(world.config("third", {"method=" + GetParam(), "method.over=ia3",
                                                 "model.adapter=" + world.path("first").string()}),
                          {}, recorder);
           }),
           "was trained with the method lora");
}

class Predictor : public ::testing::TestWithParam<std::string> {};

TEST_P(Predictor, OfARunGivesTheMetricsOfItsResult) {
  const TinyWorld world;
  const RunResult result = test::run(world.config("run", {"method=" + GetParam()}));
  Recorder recorder;
  const auto opened =
      open_predictor({.source = world.path("run"), .evaluation_data = true}, recorder);
  const SetReport report = evaluate_set(*opened, opened->evaluation.front()).report;
  ASSERT_EQ(report.metrics.size(), result.metrics.size());
  for (size_t i = 0; i < report.metrics.size(); ++i)
    EXPECT_EQ(report.metrics[i].value, result.metrics[i].value);
  EXPECT_DOUBLE_EQ(report.loss, result.evaluation_loss);
}

TEST_P(Predictor, OfAModelWithTheAdapterGivesTheSameLogits) {
  const TinyWorld world;
  test::run(world.config("run", {"method=" + GetParam()}));
  Recorder recorder;
  const auto run = open_predictor({.source = world.path("run"), .evaluation_data = true}, recorder);
  const auto model = open_predictor({.source = world.model(),
                                     .adapter = world.path("run") / "adapter",
                                     .data = world.data().string(),
                                     .evaluation_data = true},
                                    recorder);
  EXPECT_TRUE(at::equal(predict_logits(*run, run->evaluation[0].examples),
                        predict_logits(*model, model->evaluation[0].examples)));
  // Without data: labels come with the adapter.
  const auto bare =
      open_predictor({.source = world.model(), .adapter = world.path("run") / "adapter"}, recorder);
  EXPECT_EQ(bare->label_name(2), "red");
}

INSTANTIATE_TEST_SUITE_P(Methods, Predictor,
                         ::testing::Values("lora", "molex", "full", "ia3", "houlsby"));

TEST(Evaluation, DoesNotDependOnBatches) {
  const TinyWorld world;
  test::run(world.config("run", {"method=molex"}));
  Recorder recorder;
  const auto opened =
      open_predictor({.source = world.path("run"), .evaluation_data = true}, recorder);
  const auto& examples = opened->evaluation.front().examples;
  const Tensor together = predict_logits(*opened, examples);
  const Tensor alone = predict_logits(*opened, examples, {.batch_tokens = 1});
  EXPECT_LT((together - alone).abs().max().item<double>(), test::float_rounding(alone, 64));
}

// The authors' MoLEx code adds its balance loss to the loss of an evaluation.
TEST(Evaluation, AddsTheBalanceLossOnlyWithCompatReference) {
  const TinyWorld world;
  const auto loss_of = [&](const std::string& run, const std::string& balance,
                           const std::string& compat) {
    test::run(world.config(
        run, {"method=molex", "method.balance=" + balance, "method.compat=" + compat,
              "train.steps=1", "train.learning_rate=0", "train.evaluation_batch_size=8"}));
    Recorder recorder;
    const auto opened =
        open_predictor({.source = world.path(run), .evaluation_data = true}, recorder);
    const EncodedSet& set = opened->evaluation.front();
    const double task = task_loss(predict_logits(*opened, set.examples), set.examples, false);
    return evaluate_set(*opened, set).report.loss - task;
  };
  EXPECT_EQ(loss_of("ours", "0.5", "none"), 0);
  const double small = loss_of("small", "0.25", "reference"),
               large = loss_of("large", "0.5", "reference");
  EXPECT_GT(small, 0);
  EXPECT_NEAR(large, 2 * small, 1e-9);
}

TEST(OpenPredictor, ReportsWhatIsMissing) {
  const TinyWorld world;
  Recorder recorder;
  contains(user_error([&] { open_predictor({.source = world.model()}, recorder); }), "--task");
  contains(user_error([&] {
             open_predictor({.source = world.model(), .adapter = world.data()}, recorder);
           }),
           "is not an adapter folder");
  recorder.stop_at = 2;
  train(world.config("run"), {.interrupt = &recorder.stop}, recorder);
  contains(user_error([&] { open_predictor({.source = world.path("run")}, recorder); }),
           "mixtune resume");
}

TEST(OpenPredictor, TakesAModelForIdsWithoutATask) {
  const TinyWorld world;
  Recorder recorder;
  const auto base = open_predictor({.source = world.model(), .needs_task = false}, recorder);
  EXPECT_EQ(base->model->labels(), 0);
  test::run(world.config("run"));
  const auto adapted = open_predictor(
      {.source = world.model(), .adapter = world.path("run") / "adapter", .needs_task = false},
      recorder);
  EXPECT_EQ(adapted->model->labels(), 3);
}

// If the model has no pooler, it is initialized from the run's seed, which the run stores and its
// adapter does not.
TEST(Predictor, RejectsAnAdapterOnARandomlyInitializedPooler) {
  const TinyWorld world;
  const std::filesystem::path file = world.model() / "model.safetensors";
  NamedTensors tensors;
  for (const auto& [name, tensor] : read_tensors(file))
    if (name.find("pooler") == name.npos) tensors.emplace_back(name, tensor.clone());
  write_tensors(file, tensors);
  test::run(world.config("run"));
  Recorder recorder;
  EXPECT_FALSE(
      open_predictor({.source = world.path("run")}, recorder)->load_report.missing.empty());
  contains(user_error([&] {
             open_predictor({.source = world.model(), .adapter = world.path("run")}, recorder);
           }),
           "depends on a randomly initialized bert.pooler.dense.bias");
}

// An adapter without its head, and a model without one, would predict at random.
TEST(Predictor, RejectsAHeadThatWasNotTrained) {
  const TinyWorld world;
  test::run(world.config("run"));
  const std::filesystem::path file = world.path("run/adapter") / "adapter_model.safetensors";
  NamedTensors tensors;
  for (const auto& [name, tensor] : read_tensors(file))
    if (name.find("classifier") == name.npos) tensors.emplace_back(name, tensor.clone());
  write_tensors(file, tensors);
  Recorder recorder;
  const auto error = [&](const PredictorOptions& options) {
    return user_error([&] { open_predictor(options, recorder); });
  };
  contains(error({.source = world.path("run")}),
           "has no classifier.weight for 3 outputs, nor does the model");
  contains(error({.source = world.model(), .adapter = world.path("run")}),
           "predictions would come from a randomly initialized head");
  contains(error({.source = world.model(), .task = "rte", .data = world.data().string()}),
           "has no classifier.weight for 2 outputs; predictions would come from a randomly "
           "initialized head");
}

}  // namespace
}  // namespace mixtune
