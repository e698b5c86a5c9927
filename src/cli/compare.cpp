// mixtune compare: finished runs side by side, optionally with a baseline that always predicts the
// most frequent label.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/result_table.h"
#include "train/run_config.h"

namespace mixtune {
namespace {

struct CompareArguments {
  std::vector<std::string> folders;
  std::optional<std::string> json;
  bool majority = false;
};

// Predicts the most frequent label of the training data on the first evaluation set of the run's
// task; for regression, the mean score.
RunResult majority_row(const std::filesystem::path& run) {
  const RunConfig config = read_run_config(run);
  const auto task = tasks()
                        .get(config.task.name, run.string(), "task")
                        .open({.config = *config.task.config, .labels = {}});
  if (task->evaluation_sets().empty())
    throw UserError(run.string(), "its task has no evaluation set for the majority baseline",
                    "Remove --majority.");
  if (task->labels().empty() && !task->is_regression())
    throw UserError(run.string(), "its task " + config.task.name + " has no labels",
                    "Remove --majority.");
  const DataSet& set = task->evaluation_sets().front();
  const DataSet& train = task->train();
  Predictions predictions;
  if (task->is_regression()) {
    double sum = 0;
    for (const Example& example : train.examples) sum += example.score;
    predictions.scores.assign(set.examples.size(),
                              sum / static_cast<double>(train.examples.size()));
  } else {
    std::vector<int64_t> counts(task->labels().size());
    for (const Example& example : train.examples)
      if (example.label >= 0) ++counts.at(static_cast<size_t>(example.label));
    const auto majority = std::max_element(counts.begin(), counts.end()) - counts.begin();
    predictions.labels.assign(set.examples.size(), majority);
  }
  RunResult out;
  out.folder = "majority";
  out.task = task->name();
  out.method = "-";
  out.metrics = task->metrics(set, predictions);
  return out;
}

// Keyed by the run's folder name: {"lora": {"accuracy": 0.68, "trainable_parameters": ...}}.
Json to_json(const std::vector<RunResult>& runs) {
  Json out = Json::object();
  for (const RunResult& run : runs) {
    std::string name = run.folder.lexically_normal().filename().string();
    if (name.empty()) name = run.folder.lexically_normal().parent_path().filename().string();
    if (out.contains(name)) name = run.folder.string();
    Json& entry = out[name];
    for (const MetricValue& metric : run.metrics) entry[metric.name] = metric.value;
    entry["task"] = run.task;
    if (run.steps == 0) continue;
    entry["method"] = run.method;
    entry["seed"] = run.seed;
    entry["steps"] = run.steps;
    entry["trainable_parameters"] = run.trainable_parameters;
    entry["tokens_per_second"] = run.tokens_per_second;
    entry["peak_memory_bytes"] = run.peak_memory_bytes;
    entry["seconds"] = run.seconds;
  }
  return out;
}

int run(const CompareArguments& arguments) {
  std::vector<RunResult> runs;
  for (const auto& folder : find_runs(arguments.folders)) runs.push_back(finished_result(folder));
  if (arguments.majority) {
    std::vector<std::string> done;  // one row for each task
    std::vector<RunResult> rows;
    for (const RunResult& run : runs) {
      if (std::find(done.begin(), done.end(), run.task) != done.end()) continue;
      done.push_back(run.task);
      rows.push_back(majority_row(run.folder));
    }
    runs.insert(runs.begin(), rows.begin(), rows.end());
  }
  fmt::print("{}", result_table(runs));
  if (arguments.json) write_file_atomically(*arguments.json, to_json(runs).dump(2) + "\n");
  return kDone;
}

CommandRun declare_compare(CLI::App& app) {
  auto arguments = std::make_shared<CompareArguments>();
  app.add_option("runs", arguments->folders, "Run folders, or folders of runs")->required();
  app.add_option("--json", arguments->json,
                 "Also write the table to this JSON file, keyed by folder name");
  app.add_flag("--majority", arguments->majority,
               "Add a baseline that always predicts the most frequent label");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_compare(Registry<CommandEntry>& registry) {
  registry.add(
      {"compare",
       "Compare finished runs in one table",
       {"mixtune compare runs/rte-lora-0 runs/rte-molex+lora-0 --majority --json table.json"},
       declare_compare});
}

}  // namespace mixtune
