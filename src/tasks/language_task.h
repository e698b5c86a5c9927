// Shared parts of the language-model tasks: their options, their files, and metrics that are
// computed from likelihoods.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tasks/token_text.h"

namespace mixtune {

struct LanguageTaskConfig : TaskConfig {
  std::string too_long = "truncate_prompt", loss = "completion";
  std::optional<std::string> end;
  std::optional<double> dev_share;

 protected:
  void completion_fields(FieldVisitor& v);  // too_long, loss
  void end_field(FieldVisitor& v);
  void dev_share_field(FieldVisitor& v);
};

class LanguageTask : public Task {
 public:
  LanguageTask(std::string name, TaskConfig options) : Task(std::move(name), std::move(options)) {}

  Goal goal() const override { return Goal::next_token; }
  const std::vector<std::string>& labels() override { return no_labels_; }

  // Perplexity of the supervised tokens and the fraction that the model predicts correctly
  // (argmax).
  std::vector<MetricValue> metrics(const DataSet& set,
                                   const Predictions& predictions) const override;
  std::string main_metric() const override { return "perplexity"; }
  bool smaller_is_better() const override { return true; }

 private:
  std::vector<std::string> no_labels_;
};

// exp(-sum of log-probabilities / tokens) and the fraction of tokens that were the model's argmax,
// as "perplexity" and "token_accuracy"; NaN without tokens.
std::vector<MetricValue> likelihood_metrics(const std::vector<Likelihood>& likelihoods);

// The files of a task: `data` is a folder with train.*, dev.*, test.* or one file to train on;
// the options train, dev and test name files directly.
class TaskFiles {
 public:
  TaskFiles(const TaskConfig& config, std::vector<std::string> endings)
      : config_(config), endings_(std::move(endings)) {}

  std::filesystem::path train() const;
  std::optional<std::filesystem::path> dev() const;
  std::optional<std::filesystem::path> test() const;

 private:
  std::optional<std::filesystem::path> split(const std::optional<std::string>& named,
                                             const std::string& name) const;
  std::vector<std::string> names(const std::string& split) const;

  const TaskConfig& config_;
  std::vector<std::string> endings_;  // "jsonl"
};

// Holds out a fraction of the examples as "dev" (sample.h, split_by_text). Throws UserError if one
// side would be empty.
std::pair<DataSet, DataSet> hold_out(const DataSet& all, double share);

}  // namespace mixtune
