// Training decoders: the loss of supervised tokens only, exact accumulation and resume, evaluation
// that does not depend on batches, training from scratch.
#include <gtest/gtest.h>

#include <numeric>

#include "support/rounding.h"
#include "tiny_language.h"
#include "train/evaluate.h"
#include "train/predictor.h"
#include "train/preflight.h"
#include "train/run_folder.h"
#include "train/step.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::LanguageWorld;
using test::Recorder;

struct Trained {
  Tensor gradients;
  StepLosses losses;
};

// The gradients of the first `count` training examples, cut into micro-batches of `size`.
Trained gradients(const RunConfig& config, int64_t count, int64_t size) {
  Recorder recorder;
  const auto session = open_session(config, {.evaluation_data = false}, recorder);
  StepBatches batches;
  for (int64_t i = 0; i < count; ++i) {
    if (i % size == 0) batches.emplace_back();
    batches.back().push_back(i);
  }
  Reducer alone;
  Trained out;
  out.losses = accumulate_gradients(
      *session, batches, {.seed = 9, .step = 1, .label_smoothing = config.train.label_smoothing},
      alone);
  out.gradients = session->attachment->trainables.gradients.clone();
  return out;
}

// Sessions compute in float32. `tolerance` is that of gradients up to one.
void expect_equal(const Trained& a, const Trained& b, double tolerance = 2e-6) {
  EXPECT_NEAR(a.losses.task, b.losses.task, 2e-6 * std::max(1.0, std::abs(b.losses.task)));
  EXPECT_GT(a.gradients.norm().item<double>(), 1e-3);
  EXPECT_LT((a.gradients - b.gradients).abs().max().item<double>(),
            tolerance * test::size_of(b.gradients));
}

TEST(LanguageTraining, AccumulationEqualsTheLargeBatch) {
  for (const std::string type : {"gpt2", "llama"})
    for (const std::string task : {"instruct", "lm"})
      for (const std::string method :
           {"method={name: lora, r: 4, lora_dropout: 0.1, target_modules: "
            "[all-linear]}",
            "method=full"}) {
        SCOPED_TRACE(type + " " + task + " " + method);
        const LanguageWorld world(type);
        const RunConfig config = world.config(
            "unused", task, {method, "train.label_smoothing=0.1", "task.max_length=32"});
        const Trained large = gradients(config, 12, 12);
        expect_equal(large, gradients(config, 12, 1));
        expect_equal(large, gradients(config, 12, 5));  // 5 + 5 + 2: a mean of means would differ
        EXPECT_EQ(large.losses.sequences, 12);
        EXPECT_LT(large.losses.units, large.losses.tokens);
      }
}

// Cross-entropy on the logits of all tokens, with libtorch's own operations.
Trained with_whole_logits(const RunConfig& config, int64_t count) {
  Recorder recorder;
  const auto session = open_session(config, {.evaluation_data = false}, recorder);
  Reducer alone;
  ForwardContext context(Phase::train, 9, 1, alone);
  context.loss_statistics = session->attachment->loss_statistics;
  std::vector<int64_t> indices(static_cast<size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  const PackedBatch batch = pack_examples(*session, session->train.examples, indices);
  const Tensor targets = at::full({batch.rows.tokens()}, -100, at::kLong);
  for (int64_t s = 0; s < count; ++s) {
    const EncodedExample& e = session->train.examples[static_cast<size_t>(s)];
    for (const TokenSpan& span : e.supervised)
      for (int64_t t = span.begin; t < span.end; ++t)
        targets[batch.rows.offsets[s] + t - 1] = e.ids[static_cast<size_t>(t)];
  }
  const Tensor loss =
      at::cross_entropy_loss(session->model->logits(batch, context), targets, {},
                             at::Reduction::Mean, -100, config.train.label_smoothing);
  session->attachment->trainables.zero_gradients();
  torch::autograd::backward({loss}, {});
  Trained out{session->attachment->trainables.gradients.clone(), {}};
  out.losses.task = loss.item<double>();
  return out;
}

TEST(LanguageTraining, EqualsCrossEntropyOnWholeLogits) {
  for (const std::string type : {"gpt2", "llama"})  // tied and untied
    for (const std::string task : {"instruct", "lm"})
      for (const std::string method : {"method.r=4", "method=full"}) {
        SCOPED_TRACE(type + " " + task + " " + method);
        const LanguageWorld world(type);
        const RunConfig config =
            world.config("unused", task, {method, "train.label_smoothing=0.1"});
        expect_equal(gradients(config, 6, 6), with_whole_logits(config, 6));
      }
}

TEST(LanguageTraining, LearnsAndReportsPerplexity) {
  for (const std::string type : {"gpt2", "llama"}) {
    const LanguageWorld world(type);
    Recorder recorder;
    const RunResult result =
        train(world.config("run", "instruct", {"train.epochs=6", "train.batch_tokens=160"}), {},
              recorder);
    ASSERT_GE(recorder.evaluations.size(), 2u);
    const auto perplexity = [&](size_t i) { return recorder.evaluations[i].main_value; };
    EXPECT_LT(perplexity(recorder.evaluations.size() - 1), 0.7 * perplexity(0)) << type;
    ASSERT_EQ(result.metrics.size(), 2u);
    EXPECT_EQ(result.metrics[0].name, "perplexity");
    EXPECT_NEAR(std::log(result.metrics[0].value), result.evaluation_loss, 1e-9);
    EXPECT_EQ(recorder.evaluations.back().is_best, result.best_step == result.steps);
    for (const StepReport& step : recorder.steps) EXPECT_LE(step.tokens, 160);
    // The run folder contains everything that an evaluation needs.
    const auto again =
        open_predictor({.source = world.path("run"), .evaluation_data = true}, recorder);
    EXPECT_NEAR(evaluate_set(*again, again->evaluation[0]).report.metrics[0].value,
                result.metrics[0].value, 1e-6);
  }
}

TEST(LanguageTraining, ResumesExactly) {
  for (const std::string type : {"gpt2", "llama"})
    for (const std::string task : {"instruct", "lm"}) {
      SCOPED_TRACE(type + " " + task);
      const LanguageWorld world(type);
      const std::vector<std::string> options = {"train.steps=9",          "train.save_every=3",
                                                "train.evaluate_every=4", "train.accumulate=2",
                                                "train.batch_size=3",     "task.max_length=40"};
      test::run(world.config("whole", task, options));
      Recorder recorder, again;
      recorder.stop_at = 5;
      const RunResult first =
          train(world.config("stopped", task, options), {.interrupt = &recorder.stop}, recorder);
      ASSERT_TRUE(first.interrupted);
      fs::remove_all(world.path("stopped/checkpoints/step-5"));  // as after a kill
      resume(world.path("stopped"), {}, again);
      EXPECT_EQ(test::losses(world.path("whole")), test::losses(world.path("stopped")));
      EXPECT_TRUE(test::bytes_of(world.path("whole/adapter/adapter_model.safetensors")) ==
                  test::bytes_of(world.path("stopped/adapter/adapter_model.safetensors")));
    }
}

TEST(LanguageTraining, ResumeRejectsChangedData) {
  const LanguageWorld world("gpt2");
  Recorder recorder;
  recorder.stop_at = 2;
  train(world.config("run", "instruct", {"train.steps=4"}), {.interrupt = &recorder.stop},
        recorder);
  std::ofstream(world.path("data/train.jsonl"), std::ios::app)
      << R"({"prompt": "a", "completion": "b"})" << '\n';
  contains(test::user_error([&] { resume(world.path("run"), {}, recorder); }), "the data changed");
}

TEST(LanguageEvaluation, DoesNotDependOnPacking) {
  for (const std::string type : {"gpt2", "llama"}) {
    const LanguageWorld world(type);
    Recorder recorder;
    const auto session = open_session(world.config("unused", "instruct"), {}, recorder);
    const auto& examples = session->evaluation[0].examples;
    const Tensor together = predict_logits(*session, examples);
    const Tensor alone = predict_logits(*session, examples, {.batch_tokens = 1});
    EXPECT_LT((together - alone).abs().max().item<double>(), 1e-4 * test::size_of(alone));
    EXPECT_EQ(together.size(1), 3);
  }
}

TEST(LanguageObjective, SkippedRowsDoNotChangeTheLoss) {
  for (const std::string method :
       {"method.r=4", "method={name: molex, over: {name: lora, r: 4}}"}) {
    const LanguageWorld world("gpt2");
    const RunConfig config = world.config("unused", "instruct", {method});
    Recorder recorder;
    const auto session = open_session(config, {.evaluation_data = false}, recorder);
    Reducer alone;
    const std::vector<int64_t> indices = {0, 1, 2, 3};
    std::vector<double> losses;
    for (const bool some : {true, false}) {
      const auto objective = make_objective({.goal = Goal::next_token, .reads_some_rows = some});
      ForwardContext context(Phase::train, 9, 1, alone);
      context.loss_statistics = session->attachment->loss_statistics;
      losses.push_back(objective
                           ->loss_sum(*session->model,
                                      pack_examples(*session, session->train.examples, indices),
                                      sequences_of(session->train.examples, indices), context, 0)
                           .item<double>());
    }
    EXPECT_NEAR(losses[0], losses[1], 1e-5 * std::max(1.0, losses[1])) << method;
  }
}

// Forwards all calls to a model and counts the rows that its head reads.
class RowCounter final : public Model {
 public:
  explicit RowCounter(Model& model) : model_(model) {}

  const ModelConfig& config() const override { return model_.config(); }
  Sites& sites() override { return model_.sites(); }
  int64_t labels() const override { return model_.labels(); }
  Tensor logits(const PackedBatch& batch, ForwardContext& context) override {
    rows += batch.rows.tokens();
    return model_.logits(batch, context);
  }
  Tensor last_hidden_state(const PackedBatch& batch, ForwardContext& context) override {
    rows += batch.rows.tokens();
    return model_.last_hidden_state(batch, context);
  }
  Tensor pooled(const Tensor& hidden, const SequenceLayout& of) override {
    return model_.pooled(hidden, of);
  }
  bool is_language_model() const override { return model_.is_language_model(); }
  Tensor head_input(const PackedBatch& batch, ForwardContext& context,
                    const SelectedRows* read) override {
    rows += read ? read->index.numel() : batch.rows.tokens();
    return model_.head_input(batch, context, read);
  }
  LanguageHead language_head() const override { return model_.language_head(); }
  int64_t max_length() const override { return model_.max_length(); }

  int64_t rows = 0;

 private:
  Model& model_;
};

TEST(LanguageObjective, ReadsOnlyTheRowsBeforeSupervisedTokens) {
  for (const std::string type : {"gpt2", "llama"}) {
    const LanguageWorld world(type);
    Recorder recorder;
    const auto session =
        open_session(world.config("unused", "instruct"), {.evaluation_data = false}, recorder);
    const std::vector<int64_t> indices = {0, 1, 2, 3, 4};
    const PackedBatch batch = pack_examples(*session, session->train.examples, indices);
    const SequenceRefs sequences = sequences_of(session->train.examples, indices);
    Reducer alone;
    ForwardContext context(Phase::train, 9, 1, alone);
    context.loss_statistics = session->attachment->loss_statistics;
    RowCounter model(*session->model);
    session->objective->loss_sum(model, batch, sequences, context, 0);
    int64_t supervised = 0;
    for (const EncodedExample* e : sequences) supervised += e->supervised_tokens();
    EXPECT_EQ(model.rows, supervised) << type;
    EXPECT_LT(supervised, batch.rows.tokens()) << type;
  }
}

TEST(LanguagePreflight, RejectsAnExampleWithoutASupervisedEnd) {
  const LanguageWorld world("gpt2");
  Recorder recorder;
  const auto session = open_session(world.config("unused", "instruct"), {}, recorder);
  session->train.examples[3].supervised.back().end -= 1;
  const std::string line = test::user_error([&] { preflight(*session); });
  contains(line, "train.jsonl example 3: does not end with a supervised <|endoftext|>: ");
  contains(line, "the model would not learn to stop");
}

TEST(LanguagePreflight, ShowsAndCountsSupervisedTokens) {
  const LanguageWorld world("llama");
  Recorder recorder;
  const auto session = open_session(world.config("unused", "instruct"), {}, recorder);
  const Preflight p = preflight(*session);
  contains(p.example_text, "? «");
  contains(p.example_text, "</s>»");
  EXPECT_TRUE(p.example_text.starts_with("<s>")) << p.example_text;
  const std::string text = render(p);
  contains(text, "supervised tokens");
  contains(text, "logits");
  EXPECT_EQ(text.find("label"), text.npos);
  int64_t supervised = 0;
  for (const EncodedExample& e : session->train.examples) supervised += e.supervised_tokens();
  EXPECT_EQ(p.sets[0].lengths.supervised, supervised);
}

TEST(OpenForTraining, ReportsWhyNoExampleIsLeft) {
  const LanguageWorld world("gpt2");
  Recorder recorder;
  const std::string line = test::user_error([&] {
    open_for_training(
        world.config("unused", "instruct", {"task.too_long=drop", "task.max_length=4"}), recorder);
  });
  contains(line, "train.jsonl: 40 of 40 examples of train are longer than task.max_length 4");
  contains(line, "and were left out. Raise task.max_length");
}

TEST(FromScratch, InitializesAsInTheConfigAndLearns) {
  const LanguageWorld world("gpt2", 0);
  Recorder recorder;
  const std::vector<std::string> options = {"method=full", "model.from_scratch=true",
                                            "train.epochs=20"};
  const RunConfig config = world.config("run", "lm", options);
  {
    const auto session = open_session(config, {}, recorder);
    for (const WeightSlot& slot : session->model->sites().weights) {
      const Tensor w = slot.view().detach();
      if (slot.name.ends_with(".bias")) {
        EXPECT_EQ(w.abs().max().item<double>(), 0) << slot.name;
      } else if (slot.kind == WeightKind::norm) {
        EXPECT_EQ((w - 1).abs().max().item<double>(), 0) << slot.name;
      } else {
        // 0.02, and 0.02 / sqrt(2 x 2 layers) into the residual stream.
        const double expected = slot.name.ends_with("c_proj.weight") ? 0.01 : 0.02;
        EXPECT_NEAR(w.std().item<double>(), expected, 0.1 * expected) << slot.name;
      }
    }
  }
  test::run(config);
  const auto result = read_result(world.path("run"));
  EXPECT_LT(result->metrics[0].value, 20);  // a uniform prediction has 100
}

TEST(LanguageTasks, RejectEncoders) {
  const test::TinyWorld encoders;
  std::ofstream(encoders.path("text.txt")) << "some text\n";
  Recorder recorder;
  const auto error = [&](const std::vector<std::string>& overrides) {
    return test::user_error([&] { open_session(encoders.config("run", overrides), {}, recorder); });
  };
  contains(error({"task={name: lm, data: '" + encoders.path("text.txt").string() + "'}"}),
           "task lm: needs a decoder; ");
  contains(error({"model.from_scratch=true"}), "is an encoder (bert); expected a decoder");
}

}  // namespace
}  // namespace mixtune
