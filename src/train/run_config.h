// The config of a run: model, task, method and training settings. Recipes, the run folder and the
// command line all use this structure.
#pragma once

#include <filesystem>

#include "base/config.h"

namespace mixtune {

struct ModelSettings final : Config {
  std::string path;
  std::optional<std::string> adapter;
  std::string head = "auto";
  bool train_pooler = false;
  std::optional<std::string> tokenizer;
  std::optional<double> dropout;
  bool from_scratch = false;
  void fields(FieldVisitor& v) override;
};

struct TrainSettings final : Config {
  int64_t seed = 0;
  double epochs = 3;
  std::optional<int64_t> steps;
  int64_t batch_size = 16;
  std::optional<int64_t> batch_tokens;
  int64_t accumulate = 1;
  double learning_rate = 5e-4;
  std::optional<double> head_learning_rate;
  std::string schedule = "linear";
  double warmup = 0.06;
  double schedule_end = 0, schedule_power = 1, schedule_decay = 0.2;
  int64_t schedule_cycles = 1;
  double weight_decay = 0;
  std::vector<double> betas = {0.9, 0.999};
  double epsilon = 1e-8;
  std::optional<double> clip = 1.0;
  double label_smoothing = 0;
  std::optional<int64_t> evaluation_batch_size;
  std::string evaluate_every = "epoch", save_every = "epoch";
  std::optional<int64_t> early_stopping;
  int64_t keep = 3;
  void fields(FieldVisitor& v) override;
  std::optional<FieldProblem> check() const override;
};

struct RunConfig final : Config {
  ModelSettings model;
  Choice task, method;  // may be unset; open_session checks what it requires
  TrainSettings train;
  std::string device = "auto";
  std::optional<int64_t> threads;
  std::string output = "runs/{task}-{method}-{seed}";
  void fields(FieldVisitor& v) override;
};

// The registered tasks as choices of a config: `task: {name: rte, data: DIR}`.
const ChoiceTable& task_choices();

// A copy whose task and method are copied too, since copies of a Choice share its config.
RunConfig deep_copy(const RunConfig& config);

// `output` with {task}, {method} ("molex+lora" for molex over lora), {seed} and {model} (the
// folder's name) replaced by their values. UserError for another name in braces.
std::filesystem::path output_folder(const RunConfig& config);
std::string method_title(const Choice& method);  // "molex+lora"; "none" if unset

// The value of `evaluate_every` or `save_every`.
struct Interval {
  enum class Kind { epoch, steps, never } kind = Kind::epoch;
  int64_t steps = 0;
};
Interval parse_interval(const std::string& text);

// Reads RUN/config.yaml.
RunConfig read_run_config(const std::filesystem::path& run);

}  // namespace mixtune
