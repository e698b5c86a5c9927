// Classification or regression on the user's own TSV, CSV or JSON with named columns. Labels are
// inferred from the training file, sorted, numbered and saved with the adapter, so that prediction
// requires no data. One file can be split by a hash of the text, the same way on every machine.
#include <filesystem>

#include "base/scalars.h"
#include "metrics/accuracy.h"
#include "metrics/f1.h"
#include "metrics/matthews.h"
#include "metrics/mean_squared_error.h"
#include "metrics/pearson.h"
#include "metrics/spearman.h"
#include "tasks/classify_read.h"
#include "tasks/find_file.h"
#include "tasks/sample.h"
#include "tasks/task.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

struct ClassifyConfig : TaskConfig {
  std::string text = "text";
  std::optional<std::string> text_pair, label, score, example_group, format, best;
  std::optional<double> dev_share;

  void fields(FieldVisitor& v) override {
    TaskConfig::fields(v);
    v.field("text", text, "Column that contains the text.");
    v.field("text_pair", text_pair, "Column that contains the second text of a pair.");
    v.field("label", label,
            "Column that contains the label; 'label' if neither label nor score is given.");
    v.field("score", score,
            "Column that contains a number to predict; makes the task a regression.");
    v.field("example_group", example_group,
            "Column of the training file that assigns each example to one of two groups, for "
            "localized balancing (loramoe).");
    v.field("format", format, "File format; by default given by the file extension.",
            {.choices = {"tsv", "csv", "jsonl", "json"}});
    v.field("dev_share", dev_share,
            "Fraction of the training file held out for evaluation if there is no dev file.",
            {.above = 0, .below = 1});
    v.field(
        "best", best,
        "Metric that selects the best checkpoint; by default accuracy, or pearson for regression.",
        {.choices = {"accuracy", "f1_macro", "matthews", "pearson", "spearman"}});
  }

  std::optional<FieldProblem> check() const override {
    if (label && score)
      return FieldProblem{"score", "no score together with label",
                          "Set label for classification or score for regression."};
    if (best && score.has_value() != (*best == "pearson" || *best == "spearman"))
      return FieldProblem{"best", score ? "pearson or spearman" : "accuracy, f1_macro or matthews",
                          "Choose a metric for this type of task."};
    return std::nullopt;
  }
};

class ClassifyTask final : public Task {
 public:
  ClassifyTask(ClassifyConfig config, std::vector<std::string> saved)
      : Task("classify", config), config_(std::move(config)), labels_(std::move(saved)) {}

  Goal goal() const override { return config_.score ? Goal::regress : Goal::classify; }

  const std::vector<std::string>& labels() override {
    if (labels_.empty() && !is_regression()) train();
    return labels_;
  }

  std::vector<std::string> text_fields() const override {
    if (config_.text_pair) return {config_.text, *config_.text_pair};
    return {config_.text};
  }

  std::string main_metric() const override {
    return config_.best.value_or(is_regression() ? "pearson" : "accuracy");
  }

  std::vector<MetricValue> metrics(const DataSet& set,
                                   const Predictions& predictions) const override {
    const Labeled of = labeled(set, predictions, is_regression());
    if (of.labels.empty() && of.scores.empty()) return {};
    if (is_regression())
      return {{"pearson", pearson(of.scores, of.predicted_scores)},
              {"spearman", spearman(of.scores, of.predicted_scores)},
              {"mean_squared_error", mean_squared_error(of.scores, of.predicted_scores)}};
    std::vector<MetricValue> out{{"accuracy", accuracy(of.labels, of.predicted_labels)}};
    if (labels_.size() == 2)
      out.push_back({"f1", class_scores(of.labels, of.predicted_labels, 1).f1});
    out.push_back({"f1_macro", averaged_f1(of.labels, of.predicted_labels).macro});
    out.push_back({"matthews", matthews(of.labels, of.predicted_labels)});
    return out;
  }

 protected:
  DataSet read_train() override {
    const fs::path path = train_file();
    DataSet all = read(path, "train", ClassifyLabels::infer);
    if (!config_.dev_share || dev_file()) return all;
    auto [train, dev] = split_by_text(all, *config_.dev_share);
    if (train.examples.empty() || dev.examples.empty())
      throw UserError("task.dev_share",
                      "a share of " + print_number(*config_.dev_share) + " of " +
                          std::to_string(all.examples.size()) + " examples leaves " +
                          (train.examples.empty() ? "none to train on" : "none to evaluate on"),
                      "Change the share, or name a file with task.dev.");
    dev.name = "dev";
    held_out_ = std::move(dev);
    return std::move(train);
  }

  std::vector<DataSet> read_evaluation() override {
    if (const auto path = dev_file()) {
      labels();  // the training file determines the labels
      return {read(*path, "dev", ClassifyLabels::known)};
    }
    if (!config_.dev_share) return {};
    train();
    return {*held_out_};
  }

  std::vector<DataSet> read_test() override {
    const auto path = split_file(config_.test, "test");
    if (!path) return {};
    labels();
    return {read(*path, "test", ClassifyLabels::optional)};
  }

 private:
  bool data_is_file() const { return fs::is_regular_file(config_.data); }

  std::optional<fs::path> split_file(const std::optional<std::string>& named,
                                     const std::string& split) const {
    const fs::path folder =
        data_is_file() ? fs::path(config_.data).parent_path() : fs::path(config_.data);
    if (named) return named_file(folder, *named, "task." + split);
    if (config_.data.empty() || data_is_file()) return std::nullopt;
    return first_file(data_folder(config_.data, "your data"), file_names(split));
  }

  std::optional<fs::path> dev_file() const { return split_file(config_.dev, "dev"); }

  fs::path train_file() const {
    if (const auto path = split_file(config_.train, "train")) return *path;
    if (data_is_file()) return config_.data;
    return required_file(data_folder(config_.data, "your data"), file_names("train"), "task.train");
  }

  std::vector<std::string> file_names(const std::string& split) const {
    if (config_.format) return {split + "." + *config_.format};
    return {split + ".tsv", split + ".csv", split + ".jsonl", split + ".json"};
  }

  DataSet read(const fs::path& path, const std::string& set, ClassifyLabels kind) {
    // Saved labels take precedence over those of the file: the head has one output per saved label.
    if (kind == ClassifyLabels::infer && !labels_.empty()) kind = ClassifyLabels::known;
    return read_classify(
        {.path = path, .format = config_.format, .set = set},
        {.text = config_.text,
         .text_pair = config_.text_pair,
         .target = config_.score ? *config_.score : config_.label.value_or("label"),
         .is_score = config_.score.has_value(),
         .example_group = set == "train" ? config_.example_group : std::nullopt},
        kind, labels_);
  }

  ClassifyConfig config_;
  std::vector<std::string> labels_;
  std::optional<DataSet> held_out_;
};

}  // namespace

void register_classify(Registry<TaskEntry>& registry) {
  registry.add({.name = "classify",
                .summary = "classification or regression on your own TSV, CSV or JSON files",
                .config = [] { return std::make_unique<ClassifyConfig>(); },
                .open = [](const TaskSetup& setup) -> std::unique_ptr<Task> {
                  return std::make_unique<ClassifyTask>(
                      dynamic_cast<const ClassifyConfig&>(setup.config), setup.labels);
                }});
}

}  // namespace mixtune
