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

// The method that adapts the blocks under another one, found through the visit of its fields.
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
          "pooled: BERT's pooler and a classifier; dense: RoBERTa's dense layer; auto: "
          "that of the model type.",
          {.choices = {"auto", "pooled", "dense"}});
  v.field("train_pooler", train_pooler, "Train BERT's pooler as well as the classifier.");
  v.field("tokenizer", tokenizer, "A folder with the tokenizer's files; null: that of the model.");
  v.field("dropout", dropout,
          "Every dropout of the model itself, the method's apart; null: as config.json says.",
          {.minimum = 0, .below = 1});
  v.field("from_scratch", from_scratch,
          "Random weights, drawn as config.json says: no weights are read (decoders).");
}

void TrainSettings::fields(FieldVisitor& v) {
  v.field("seed", seed, "Of initial weights, data order and dropout.", {.minimum = 0});
  v.field("epochs", epochs, "Passes over the training data.", {.maximum = 1e6, .above = 0});
  v.field("steps", steps, "Optimizer steps; replaces epochs.", {.minimum = 1});
  v.field("batch_size", batch_size, "Sequences per micro-batch.", {.minimum = 1, .maximum = 1e6});
  v.field("batch_tokens", batch_tokens,
          "Tokens per micro-batch at most; replaces batch_size. Sequences are packed to fill it.",
          {.minimum = 1});
  v.field("accumulate", accumulate, "Micro-batches per optimizer step.",
          {.minimum = 1, .maximum = 1e6});
  v.field("learning_rate", learning_rate, "Highest learning rate.", {.minimum = 0});
  v.field("head_learning_rate", head_learning_rate, "Of the head; null: learning_rate.",
          {.minimum = 0});
  v.field("schedule", schedule, "How the learning rate falls after the warm-up.",
          {.choices = schedule_names()});
  v.field("warmup", warmup, "Below 1: share of all steps; from 1 on: steps.", {.minimum = 0});
  v.field("schedule_end", schedule_end,
          "Share of the rate that is left at the end (linear, cosine, polynomial, "
          "warmup_stable_decay).",
          {.minimum = 0, .maximum = 1});
  v.field("schedule_cycles", schedule_cycles, "How often cosine_with_restarts falls.",
          {.minimum = 1, .maximum = 100000});
  v.field("schedule_power", schedule_power, "Exponent of polynomial.", {.above = 0});
  v.field("schedule_decay", schedule_decay,
          "Length of the fall of warmup_stable_decay; below 1: share of all steps.",
          {.minimum = 0});
  v.field("weight_decay", weight_decay, "Decoupled weight decay; not on biases and norms.",
          {.minimum = 0});
  v.field("betas", betas, "Of AdamW: decay of the two moments.", {.minimum = 0, .below = 1});
  v.field("epsilon", epsilon, "Of AdamW.", {.above = 0});
  v.field("clip", clip, "Largest global norm of the gradient; null or 0: no clipping.",
          {.minimum = 0});
  v.field("label_smoothing", label_smoothing, "Share of the target spread over all classes.",
          {.minimum = 0, .below = 1});
  v.field("evaluation_batch_size", evaluation_batch_size,
          "Sequences of an evaluation batch, in the order of the file; null: 4,096 tokens. It "
          "matters under batch votes alone.",
          {.minimum = 1});
  v.field("evaluate_every", evaluate_every, "epoch, a number of steps, or never.",
          {.check = interval_expected});
  v.field("save_every", save_every,
          "Checkpoints: epoch, a number of steps, or never (the end alone).",
          {.check = interval_expected});
  v.field("early_stopping", early_stopping,
          "Stop after that many evaluations in a row without a new best; null: off.",
          {.minimum = 1});
  v.field("keep", keep, "Checkpoints to keep, besides the best.", {.minimum = 1});
}

std::optional<FieldProblem> TrainSettings::check() const {
  if (betas.size() != 2) return FieldProblem{"betas", "two numbers", "Write [0.9, 0.999]."};
  if (early_stopping && evaluate_every == "never")
    return FieldProblem{"early_stopping", "null where nothing is evaluated",
                        "Set evaluate_every to epoch or a number of steps."};
  return std::nullopt;
}

void RunConfig::fields(FieldVisitor& v) {
  v.nested("model", model, "What is fine-tuned.");
  v.choice("task", task, task_choices(), "What it learns.", {.optional = true});
  v.choice("method", method, method_choices(), "How it is adapted.", {.optional = true});
  v.nested("train", train, "How it is trained.");
  v.field("device", device, "auto, cpu, cuda or cuda:N.", {.check = device_expected});
  v.field("threads", threads, "CPU threads; null: all cores.", {.minimum = 1, .maximum = 4096});
  v.field("output", output, "The run folder; {task}, {method}, {seed} and {model} are filled in.");
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
  if (out.empty()) throw UserError("output", "is empty", "Name the run folder.");
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
                    "Name the folder that mixtune train wrote.");
  RunConfig config;
  ConfigLayers layers;
  layers.add_file(path);
  layers.apply(config);
  return config;
}

}  // namespace mixtune
