// The interface of a task: examples, the goal (which determines head and loss), how an example
// becomes token ids, how model outputs become predictions, and the metrics. One file per task
// family registers one entry per task (glue.cpp registers nine). Files are read on first use:
// prediction requires label names but no data.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/registry.h"
#include "tasks/encoded.h"

namespace mixtune {

class Tokenizer;

// A piece of a text for a language model: context, or text that is supervised.
struct TextPart {
  std::string text;
  bool is_supervised = false;
  bool ends = false;    // the end token follows, supervised like the text
  bool begins = false;  // the begin tokens precede it, as they do the first part
};

// One answer option of a question.
struct AnswerOption {
  int64_t label;                // its id among the task's labels
  std::vector<TextPart> parts;  // the question with this answer; only the answer is supervised
};

struct Example {
  int64_t id = 0;    // row number in its file, from 0; unchanged by limits and splits
  int64_t line = 0;  // in its file, from 1; 0: unknown
  std::string first = {};
  std::optional<std::string> second = {};
  int64_t label = -1;                                       // -1: unknown
  double score = std::numeric_limits<double>::quiet_NaN();  // of a regression task; NaN: unknown
  std::vector<TextPart> parts = {};        // for tasks that predict tokens: the training text
  std::vector<AnswerOption> options = {};  // for multiple-choice questions
  int64_t example_group = -1;  // for localized balancing (example_groups.h); -1: unknown
};

struct DataSet {
  std::string name = {};  // "train", "dev", "dev_mismatched", "test", ...
  std::vector<Example> examples = {};
  std::string source = {};                 // the file
  std::vector<std::string> ids_text = {};  // the file's own identifiers, one per example, or empty
  std::vector<std::string> warnings = {};  // what was skipped and why, printed by the preflight
};

struct MetricValue {
  std::string name;
  double value = 0;
};

// The likelihood of the supervised tokens of a sequence.
struct Likelihood {
  double log_probability = 0;  // sum, in nats
  int64_t tokens = 0;
  int64_t best = 0;  // tokens that are the model's argmax
};

struct LabelScore {
  int64_t label;
  double score;
};

// One entry per example of the data set, in its order: `labels` for classification, `scores` for
// regression. `label_scores`, if filled, has the score of each label; `likelihoods` has one entry
// per sequence.
struct Predictions {
  std::vector<int64_t> labels = {};
  std::vector<double> scores = {};
  std::vector<std::vector<LabelScore>> label_scores = {};
  std::vector<Likelihood> likelihoods = {};
};

// A prompt for generation and its reference texts.
struct GenerationPrompt {
  Example prompt;
  std::vector<std::string> references;
};

// What the model predicts: a label or a number for a sequence, or its next tokens.
enum class Goal { classify, regress, next_token };

// A file in the submission format of a benchmark's site.
struct Submission {
  std::string file;  // "RTE.tsv"
  std::string text;
};

// The options that every task has; task families derive from it. The key `name` selects the task.
struct TaskConfig : Config {
  std::string data;
  int64_t max_length = 256;
  std::string truncation = "longest_first";
  std::optional<int64_t> limit_train, limit_dev;
  std::optional<std::string> train, dev, test;
  void fields(FieldVisitor& v) override;

 protected:
  void data_fields(FieldVisitor& v);   // data, max_length
  void split_fields(FieldVisitor& v);  // limits and files
};

class Task {
 public:
  Task(std::string name, TaskConfig options)
      : name_(std::move(name)), options_(std::move(options)) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  const std::string& name() const { return name_; }
  const TaskConfig& options() const { return options_; }

  virtual Goal goal() const { return Goal::classify; }
  bool is_regression() const { return goal() == Goal::regress; }
  // Label names in the order of label ids; empty if there are none. May read the training file.
  virtual const std::vector<std::string>& labels() = 0;
  // Outputs of the classification head: one per label, one for regression.
  int64_t outputs() { return is_regression() ? 1 : static_cast<int64_t>(labels().size()); }

  // Read on first use, then kept. Throws UserError with file and line for what cannot be read. The
  // first evaluation set selects the best checkpoint; there may be none. Test sets may lack labels.
  const DataSet& train();
  const std::vector<DataSet>& evaluation_sets();
  const std::vector<DataSet>& test_sets();

  // Token ids for training, and for evaluation or prediction; by default both are one sequence per
  // example, for a classification head. Throws UserError with the file and the example.
  virtual EncodedExamples encode_training(const Tokenizer& tokenizer, const DataSet& set,
                                          int64_t max_length) const;
  virtual EncodedExamples encode_evaluation(const Tokenizer& tokenizer, const DataSet& set,
                                            int64_t max_length) const {
    return encode_training(tokenizer, set, max_length);
  }
  // The token that every training sequence must end with, supervised; nothing if the task has none.
  virtual std::optional<int32_t> end_token(const Tokenizer&) const { return std::nullopt; }

  // Combines the predictions for sequences into predictions for the examples.
  virtual Predictions combine(const DataSet&, const std::vector<EncodedExample>&,
                              Predictions of_sequences) const {
    return of_sequences;
  }

  // The distinct prompts for generation, for tasks that are scored on generated text.
  virtual std::vector<GenerationPrompt> generation_prompts(const DataSet&) const { return {}; }

  // The official metrics over the labeled examples of `set`, empty if none is labeled. Names
  // are unique over the evaluation sets of a task: MNLI has accuracy and accuracy_mismatched.
  virtual std::vector<MetricValue> metrics(const DataSet& set,
                                           const Predictions& predictions) const = 0;
  // The metric that selects the best checkpoint; NaN is never the best.
  virtual std::string main_metric() const = 0;
  virtual bool smaller_is_better() const { return false; }

  // The keys of one prediction request, in the order of the text: {"question", "sentence"}.
  virtual std::vector<std::string> text_fields() const = 0;
  // A request as an example; other keys are ignored. `where`: file and line, for the error about a
  // key that is missing or not text.
  virtual Example example_from_json(const nlohmann::json& object, const std::string& where) const;

  // The benchmark's submission file for a set, if the task has one.
  virtual std::optional<Submission> submission(const DataSet& set, const Predictions& predictions);

 protected:
  virtual DataSet read_train() = 0;
  virtual std::vector<DataSet> read_evaluation() = 0;
  virtual std::vector<DataSet> read_test() = 0;

 private:
  std::string name_;
  TaskConfig options_;
  std::optional<DataSet> train_;
  std::optional<std::vector<DataSet>> evaluation_, test_;
};

struct TaskSetup {
  const Config& config;  // from the entry's config()
  std::vector<std::string> labels =
      {};  // saved with an adapter or run; empty: from the task's data
};

struct TaskEntry {
  std::string name;
  std::string summary;
  std::function<std::unique_ptr<Config>()> config;
  std::function<std::unique_ptr<Task>(const TaskSetup&)> open;
};

const Registry<TaskEntry>& tasks();

// Only the labeled examples, as the metrics expect them.
struct Labeled {
  std::vector<int64_t> labels, predicted_labels;
  std::vector<double> scores, predicted_scores;
};
Labeled labeled(const DataSet& set, const Predictions& predictions, bool is_regression);

}  // namespace mixtune
