// GLUE (Wang et al. 2019): nine tasks on sentences and pairs, read from the original files, with
// the official metrics and the submission format of its site. The label order is that of Hugging
// Face's GLUE, so that classifiers trained elsewhere keep their meaning. The differences between
// tasks are data, in glue_spec.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "metrics/accuracy.h"
#include "metrics/f1.h"
#include "metrics/matthews.h"
#include "metrics/pearson.h"
#include "metrics/spearman.h"
#include "tasks/find_file.h"
#include "tasks/glue_read.h"
#include "tasks/glue_spec.h"
#include "tasks/task.h"

namespace mixtune {
namespace {

double glue_metric(const std::string& name, const Labeled& of) {
  if (name == "accuracy") return accuracy(of.labels, of.predicted_labels);
  if (name == "f1") return class_scores(of.labels, of.predicted_labels, 1).f1;
  if (name == "matthews") return matthews(of.labels, of.predicted_labels);
  if (name == "pearson") return pearson(of.scores, of.predicted_scores);
  MIXTUNE_CHECK(name == "spearman", "metric " + name);
  return spearman(of.scores, of.predicted_scores);
}

// "_mismatched" for "dev_mismatched": sets of one task share a result file.
std::string suffix_of(const std::string& set) {
  const size_t at = set.find('_');
  return at == std::string::npos ? "" : set.substr(at);
}

class GlueTask final : public Task {
 public:
  GlueTask(const GlueSpec& spec, TaskConfig options, const std::vector<std::string>& saved)
      : Task(spec.name, std::move(options)), spec_(spec) {
    // Ids are fixed by the benchmark; an adapter with another order would be scored on swapped
    // labels.
    if (!saved.empty() && saved != spec.labels)
      throw UserError(
          spec.name,
          "the saved labels are " + join_names(saved) + "; expected " +
              (spec.labels.empty() ? "none, it is a regression" : join_names(spec.labels)),
          "Use an adapter or run that was trained on " + spec.name + ".");
  }

  Goal goal() const override {
    return spec_.label_kind == GlueLabels::scores ? Goal::regress : Goal::classify;
  }
  const std::vector<std::string>& labels() override { return spec_.labels; }
  std::vector<std::string> text_fields() const override { return spec_.text_fields; }
  std::string main_metric() const override { return spec_.metrics.front(); }

  std::vector<MetricValue> metrics(const DataSet& set,
                                   const Predictions& predictions) const override {
    const Labeled of = labeled(set, predictions, is_regression());
    if (of.labels.empty() && of.scores.empty()) return {};
    std::vector<MetricValue> out;
    for (const std::string& name : spec_.metrics)
      out.push_back({name + suffix_of(set.name), glue_metric(name, of)});
    return out;
  }

  // GLUE's format: a header, then the index in the test file and the prediction on each line.
  // Labels are numbers or names as in the training file; scores are clamped to 0 to 5.
  std::optional<Submission> submission(const DataSet& set,
                                       const Predictions& predictions) override {
    const auto found = std::find_if(spec_.test.begin(), spec_.test.end(),
                                    [&](const GlueSet& test) { return test.name == set.name; });
    if (found == spec_.test.end()) return std::nullopt;
    const size_t given = is_regression() ? predictions.scores.size() : predictions.labels.size();
    MIXTUNE_CHECK(given == set.examples.size(),
                  fmt::format("{} predictions for {} examples", given, set.examples.size()));
    Submission out{.file = found->submission, .text = "index\tprediction\n"};
    for (size_t i = 0; i < set.examples.size(); ++i)
      out.text += fmt::format(
          "{}\t{}\n", set.ids_text.empty() ? std::to_string(set.examples[i].id) : set.ids_text[i],
          prediction_text(predictions, i));
    return out;
  }

 protected:
  DataSet read_train() override {
    const auto path = options().train ? named_file(folder_or_none(), *options().train, "task.train")
                                      : required_file(folder(), spec_.train.files, "task.train");
    return read_glue(spec_, path, "train", LabelsAre::known);
  }

  std::vector<DataSet> read_evaluation() override {
    if (options().dev) {
      const auto path = named_file(folder_or_none(), *options().dev, "task.dev");
      return {read_glue(spec_, path, "dev", LabelsAre::known)};
    }
    std::vector<DataSet> sets;
    for (const GlueSet& set : spec_.evaluation) {
      const auto path = sets.empty() ? required_file(folder(), set.files, "task.dev")
                                     : first_file(folder(), set.files).value_or("");
      if (!path.empty()) sets.push_back(read_glue(spec_, path, set.name, LabelsAre::known));
    }
    return sets;
  }

  std::vector<DataSet> read_test() override {
    if (options().test) {
      const auto path = named_file(folder_or_none(), *options().test, "task.test");
      return {read_glue(spec_, path, "test", LabelsAre::optional)};
    }
    std::vector<DataSet> sets;
    for (const GlueSet& set : spec_.test)
      if (const auto path = first_file(folder(), set.files))
        sets.push_back(read_glue(spec_, *path, set.name, LabelsAre::optional));
    return sets;
  }

 private:
  std::filesystem::path folder() const { return data_folder(options().data, spec_.folder); }
  // A file may be given by its full path without a folder.
  std::filesystem::path folder_or_none() const { return options().data.empty() ? "" : folder(); }

  std::string prediction_text(const Predictions& predictions, size_t i) const {
    if (is_regression()) return fmt::format("{:.3f}", std::clamp(predictions.scores[i], 0.0, 5.0));
    const int64_t label = predictions.labels[i];
    return spec_.label_kind == GlueLabels::names ? spec_.labels.at(static_cast<size_t>(label))
                                                 : std::to_string(label);
  }

  const GlueSpec& spec_;
};

}  // namespace

void register_glue(Registry<TaskEntry>& registry) {
  for (const GlueSpec& spec : glue_specs())
    registry.add({.name = spec.name,
                  .summary = spec.folder + ": " + spec.summary,
                  .config = [] { return std::make_unique<TaskConfig>(); },
                  .open = [&spec](const TaskSetup& setup) -> std::unique_ptr<Task> {
                    return std::make_unique<GlueTask>(
                        spec, dynamic_cast<const TaskConfig&>(setup.config), setup.labels);
                  }});
}

}  // namespace mixtune
