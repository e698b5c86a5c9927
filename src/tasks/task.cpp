#include "tasks/task.h"

#include <cmath>

#include "files/json_records.h"
#include "tasks/encode.h"
#include "tasks/sample.h"

namespace mixtune {
void TaskConfig::data_fields(FieldVisitor& v) {
  v.field("data", data, "Folder with the task's files (or, for your own data, one file).");
  v.field("max_length", max_length,
          "Maximum number of tokens per example, including special tokens.", {.minimum = 1});
}

void TaskConfig::split_fields(FieldVisitor& v) {
  v.field("limit_train", limit_train,
          "Number of training examples to use: a fixed subset, the same in every run.",
          {.minimum = 1});
  v.field("limit_dev", limit_dev, "Number of evaluation examples to use.", {.minimum = 1});
  v.field("train", train, "Training file: a name within the data folder, or a path.");
  v.field("dev", dev, "Evaluation file: a name within the data folder, or a path.");
  v.field("test", test, "File to predict: a name within the data folder, or a path.");
}

void TaskConfig::fields(FieldVisitor& v) {
  data_fields(v);
  v.field("truncation", truncation,
          "Truncation of a pair that exceeds max_length: longest_first (the longer text, token by "
          "token) or only_second (only the second text).",
          {.choices = {"longest_first", "only_second"}});
  split_fields(v);
}

const DataSet& Task::train() {
  if (!train_) {
    DataSet set = read_train();
    if (options_.limit_train) limit_examples(set, *options_.limit_train);
    train_ = std::move(set);
  }
  return *train_;
}

const std::vector<DataSet>& Task::evaluation_sets() {
  if (!evaluation_) {
    std::vector<DataSet> sets = read_evaluation();
    for (DataSet& set : sets)
      if (options_.limit_dev) limit_examples(set, *options_.limit_dev);
    evaluation_ = std::move(sets);
  }
  return *evaluation_;
}

const std::vector<DataSet>& Task::test_sets() {
  if (!test_) test_ = read_test();
  return *test_;
}

Example Task::example_from_json(const Json& object, const std::string& where) const {
  const std::vector<std::string> fields = text_fields();
  if (!object.is_object())
    throw UserError(where, std::string("found ") + object.type_name() + "; expected a JSON object",
                    "Write one object per line with " + join_names(fields) + ".");
  Example out;
  out.first = text_at(object, fields.at(0), where);
  if (fields.size() > 1) out.second = text_at(object, fields[1], where);
  return out;
}

EncodedExamples Task::encode_training(const Tokenizer& tokenizer, const DataSet& set,
                                      int64_t max_length) const {
  EncodeOptions how = encode_options(options_);
  how.max_length = max_length;
  return {.examples = encode_set(tokenizer, set, how)};
}

std::optional<Submission> Task::submission(const DataSet&, const Predictions&) {
  return std::nullopt;
}

Labeled labeled(const DataSet& set, const Predictions& predictions, bool is_regression) {
  const size_t given = is_regression ? predictions.scores.size() : predictions.labels.size();
  MIXTUNE_CHECK(given == set.examples.size(), std::to_string(given) + " predictions for " +
                                                  std::to_string(set.examples.size()) +
                                                  " examples");
  Labeled out;
  for (size_t i = 0; i < given; ++i) {
    const Example& example = set.examples[i];
    if (is_regression && !std::isnan(example.score)) {
      out.scores.push_back(example.score);
      out.predicted_scores.push_back(predictions.scores[i]);
    } else if (!is_regression && example.label >= 0) {
      out.labels.push_back(example.label);
      out.predicted_labels.push_back(predictions.labels[i]);
    }
  }
  return out;
}

}  // namespace mixtune
