// What a task is to the rest of the program: labelled examples, label names, official metrics, and
// the fields of a prediction request. One file per task family registers one entry per task
// (glue.cpp registers nine). Files are read on first use: a prediction needs label names and no
// data.
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

namespace molt {

struct Example {
  int64_t id = 0;  // row number in its file, from 0; limits and splits do not renumber
  std::string first = {};
  std::optional<std::string> second = {};
  int64_t label = -1;                                       // -1: not known
  double score = std::numeric_limits<double>::quiet_NaN();  // of a regression task; nan: not known
};

struct DataSet {
  std::string name = {};  // "train", "dev", "dev_mismatched", "test", ...
  std::vector<Example> examples = {};
  std::string source = {};                 // the file
  std::vector<std::string> ids_text = {};  // the file's own identifiers, one per example, or empty
  std::vector<std::string> warnings = {};  // what was skipped and why: for the preflight to print
};

struct MetricValue {
  std::string name;
  double value = 0;
};

// One entry per example of the data set, in its order: `labels` for classification, `scores` for
// regression.
struct Predictions {
  std::vector<int64_t> labels = {};
  std::vector<double> scores = {};
};

// A file as a benchmark's site wants it.
struct Submission {
  std::string file;  // "RTE.tsv"
  std::string text;
};

// The options that every task has; families derive from it. `name` is the key that chooses the
// task.
struct TaskConfig : Config {
  std::string data;
  int64_t max_length = 256;
  std::string truncation = "longest_first";
  std::optional<int64_t> limit_train, limit_dev;
  std::optional<std::string> train, dev, test;
  void fields(FieldVisitor& v) override;
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

  virtual bool is_regression() const { return false; }
  // Label names in the order of label ids; empty for regression. May read the training file.
  virtual const std::vector<std::string>& labels() = 0;
  // Outputs of the classification head: one per label, one for regression.
  int64_t outputs() { return is_regression() ? 1 : static_cast<int64_t>(labels().size()); }

  // Read on first use, then kept. UserError with file and line for what cannot be read. The first
  // evaluation set decides the best checkpoint; there may be none. Test sets may lack labels.
  const DataSet& train();
  const std::vector<DataSet>& evaluation_sets();
  const std::vector<DataSet>& test_sets();

  // The official metrics over the labelled examples of `set`, none where nothing is labelled. Names
  // are unique over the evaluation sets of a task: MNLI has accuracy and accuracy_mismatched.
  virtual std::vector<MetricValue> metrics(const DataSet& set,
                                           const Predictions& predictions) const = 0;
  // Which of them decides the best checkpoint. Larger is better; a nan never is.
  virtual std::string main_metric() const = 0;

  // The keys of one prediction request, in the order of the text: {"question", "sentence"}.
  virtual std::vector<std::string> text_fields() const = 0;
  // A request as an example; other keys are ignored. `where`: file and line, for the error about a
  // key that is missing or not text.
  Example example_from_json(const nlohmann::json& object, const std::string& where) const;

  // The benchmark's file for a set, where the task has one.
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

// The labelled examples alone, as the metrics want them.
struct Labelled {
  std::vector<int64_t> labels, predicted_labels;
  std::vector<double> scores, predicted_scores;
};
Labelled labelled(const DataSet& set, const Predictions& predictions, bool is_regression);

}  // namespace molt
