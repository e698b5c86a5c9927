#include "train/run_config.h"

#include <algorithm>

#include "base/error.h"
#include "methods/method.h"
#include "tasks/task.h"
#include "train/schedule.h"

namespace mixtune {
namespace {

class TaskChoices final : public ChoiceTable {
 public:
  std::vector<std::string> names() const override { return tasks().names(); }
  std::unique_ptr<Config> make(const std::string& name) const override {
    return tasks().get(name, "task.name", "task").config();
  }
};

bool is_count(const std::string& text) {
  return !text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == text.npos &&
         text.find_first_not_of('0') != text.npos;
}

std::optional<std::string> interval_expected(const std::string& text) {
  if (text == "epoch" || text == "never" || is_count(text)) return std::nullopt;
  return "epoch, never, or a number of steps";
}

std::optional<std::string> device_expected(const std::string& text) {
  if (text == "auto" || text == "cpu" || text == "cuda") return std::nullopt;
  if (text.starts_with("cuda:") && text.size() < 8 &&
      text.find_first_not_of("0123456789", 5) == text.npos && text.size() > 5)
    return std::nullopt;
  return "auto, cpu, cuda or cuda:N";
}

// Finds the method in the field `over` of another method, through the visit of its fields.
class OverFinder final : public FieldVisitor {
 public:
  std::string name;

 protected:
  void visit_value(const Field&) override {}
  void visit_nested(const std::string&, Config&, const std::string&) override {}
  void visit_choice(const std::string& field, Choice& choice, const ChoiceTable&,
                    const std::string&, const Limits&) override {
    if (field == "over") name = choice.name;
  }
  void visit_list(const std::string&, ConfigList&, const std::string&) override {}
  void visit_choices(const std::string&, std::vector<Choice>&, const ChoiceTable&,
                     const std::string&) override {}
};

}  // namespace

void ModelSettings::fields(FieldVisitor& v) {
  v.field("path", path, "A Hugging Face model folder.");
  v.field("adapter", adapter, "An adapter folder (or a run) to start from.");
  v.field("head", head,
          "Classification head: pooled (BERT's pooler and a classifier), dense (RoBERTa's dense "
          "layer and a projection) or auto (that of the model type).",
          {.choices = {"auto", "pooled", "dense"}});
  v.field("train_pooler", train_pooler, "Train BERT's pooler as well as the classifier.");
  v.field("tokenizer", tokenizer, "A folder with the tokenizer's files; null: that of the model.");
  v.field("dropout", dropout,
          "Dropout of the model itself, not of the method; null: as in config.json.",
          {.minimum = 0, .below = 1});
  v.field("from_scratch", from_scratch,
          "Initialize all weights randomly instead of loading them (decoders only).");
}

void TrainSettings::fields(FieldVisitor& v) {
  v.field("seed", seed, "Random seed of initial weights, data order and dropout.", {.minimum = 0});
  v.field("epochs", epochs, "Passes over the training data.", {.maximum = 1e6, .above = 0});
  v.field("steps", steps, "Optimizer steps; replaces epochs.", {.minimum = 1});
  v.field("batch_size", batch_size, "Sequences per micro-batch.", {.minimum = 1, .maximum = 1e6});
  v.field("batch_tokens", batch_tokens,
          "Maximum tokens per micro-batch; replaces batch_size. Sequences are packed to fill it.",
          {.minimum = 1});
  v.field("accumulate", accumulate, "Micro-batches per optimizer step.",
          {.minimum = 1, .maximum = 1e6});
  v.field("learning_rate", learning_rate, "Peak learning rate.", {.minimum = 0});
  v.field("head_learning_rate", head_learning_rate,
          "Learning rate of the head; null: learning_rate.", {.minimum = 0});
  v.field("schedule", schedule, "Learning-rate schedule after the warm-up.",
          {.choices = schedule_names()});
  v.field("warmup", warmup, "Warm-up: share of all steps if below 1, otherwise number of steps.",
          {.minimum = 0});
  v.field("schedule_end", schedule_end,
          "Final learning rate as a share of the peak (linear, cosine, polynomial, "
          "warmup_stable_decay).",
          {.minimum = 0, .maximum = 1});
  v.field("schedule_cycles", schedule_cycles, "Number of cycles of cosine_with_restarts.",
          {.minimum = 1, .maximum = 100000});
  v.field("schedule_power", schedule_power, "Exponent of the polynomial schedule.", {.above = 0});
  v.field("schedule_decay", schedule_decay,
          "Decay phase of warmup_stable_decay: share of all steps if below 1, otherwise number of "
          "steps.",
          {.minimum = 0});
  v.field("weight_decay", weight_decay,
          "Decoupled weight decay; not applied to biases, norms and the scales of IA3.",
          {.minimum = 0});
  v.field("betas", betas, "Decay rates of AdamW's two moments.", {.minimum = 0, .below = 1});
  v.field("epsilon", epsilon, "Epsilon of AdamW.", {.above = 0});
  v.field("clip", clip, "Maximum global norm of the gradient; null or 0: no clipping.",
          {.minimum = 0});
  v.field("label_smoothing", label_smoothing, "Share of the target spread over all classes.",
          {.minimum = 0, .below = 1});
  v.field(
      "evaluation_batch_size", evaluation_batch_size,
      "Sequences per evaluation batch, in the order of the file; null: batches of 4,096 tokens. "
      "Only routing with scope batch depends on it.",
      {.minimum = 1});
  v.field("evaluate_every", evaluate_every,
          "Interval of evaluations: epoch, a number of steps, or never.",
          {.check = interval_expected});
  v.field("save_every", save_every,
          "Interval of checkpoints: epoch, a number of steps, or never (only at the end).",
          {.check = interval_expected});
  v.field("early_stopping", early_stopping,
          "Stop after this number of consecutive evaluations without a new best; null: off.",
          {.minimum = 1});
  v.field("keep", keep, "Number of checkpoints to keep, in addition to the best.", {.minimum = 1});
}

std::optional<FieldProblem> TrainSettings::check() const {
  if (betas.size() != 2) return FieldProblem{"betas", "two numbers", "Write [0.9, 0.999]."};
  if (early_stopping && evaluate_every == "never")
    return FieldProblem{"early_stopping", "null if evaluate_every is never",
                        "Set evaluate_every to epoch or a number of steps."};
  return std::nullopt;
}

void RunConfig::fields(FieldVisitor& v) {
  v.nested("model", model, "The model to fine-tune.");
  v.choice("task", task, task_choices(), "The task and its data.", {.optional = true});
  v.choice("method", method, method_choices(), "The fine-tuning method.", {.optional = true});
  v.nested("train", train, "Training settings.");
  v.field("device", device, "Device: auto, cpu, cuda or cuda:N.", {.check = device_expected});
  v.field("threads", threads, "CPU threads; null: all cores.", {.minimum = 1, .maximum = 4096});
  v.field("output", output,
          "The run folder; {task}, {method}, {seed} and {model} are replaced by their values.");
}

const ChoiceTable& task_choices() {
  static const TaskChoices choices;
  return choices;
}

RunConfig deep_copy(const RunConfig& config) {
  RunConfig out;
  ConfigLayers layers;
  layers.add_text(to_yaml(config), "config");
  layers.apply(out);
  return out;
}

std::string method_title(const Choice& method) {
  if (method.name.empty()) return "none";
  OverFinder over;
  method.config->fields(over);
  return over.name.empty() ? method.name : method.name + "+" + over.name;
}

std::filesystem::path output_folder(const RunConfig& config) {
  std::filesystem::path model = std::filesystem::path(config.model.path).lexically_normal();
  if (model.filename().empty()) model = model.parent_path();
  const std::map<std::string, std::string> values = {
      {"task", config.task.name.empty() ? "none" : config.task.name},
      {"method", method_title(config.method)},
      {"seed", std::to_string(config.train.seed)},
      {"model", model.filename().string()}};
  std::string out;
  for (size_t i = 0; i < config.output.size();) {
    const size_t close = config.output[i] == '{' ? config.output.find('}', i) : std::string::npos;
    if (close == std::string::npos) {
      out += config.output[i++];
      continue;
    }
    const std::string name = config.output.substr(i + 1, close - i - 1);
    const auto found = values.find(name);
    if (found == values.end())
      throw UserError("output", "has {" + name + "}; known: {task}, {method}, {seed}, {model}",
                      "Correct the name.");
    out += found->second;
    i = close + 1;
  }
  if (out.empty()) throw UserError("output", "is empty", "Set the run folder.");
  return out;
}

Interval parse_interval(const std::string& text) {
  if (text == "epoch") return {.kind = Interval::Kind::epoch};
  if (text == "never") return {.kind = Interval::Kind::never};
  MIXTUNE_CHECK(is_count(text), "interval '" + text + "'");
  return {.kind = Interval::Kind::steps, .steps = std::stoll(text)};
}

RunConfig read_run_config(const std::filesystem::path& run) {
  const auto path = run / "config.yaml";
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    throw UserError(run.string(), "is not a run folder: it has no config.yaml",
                    "Give a folder that mixtune train created.");
  RunConfig config;
  ConfigLayers layers;
  layers.add_file(path);
  layers.apply(config);
  return config;
}

}  // namespace mixtune
