// mixtune eval: the metrics of a run, or of a model with an adapter, on a task's evaluation sets.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/console_progress.h"
#include "train/evaluate.h"
#include "train/predictor.h"

namespace mixtune {
namespace {

struct EvalArguments {
  std::string source;
  std::vector<std::string> overrides;
  std::optional<std::string> adapter, task, data, json, submission;
};

Json to_json(const SetReport& report) {
  Json metrics = Json::object();
  for (const MetricValue& metric : report.metrics) metrics[metric.name] = metric.value;
  return {{"set", report.set},
          {"examples", report.examples},
          {"loss", report.loss},
          {"metrics", metrics}};
}

// Writes the files that the benchmark's server accepts, one for each test set.
void write_submissions(Session& session, const std::string& folder) {
  if (session.task->test_sets().empty())
    throw UserError("--submission", "the task's data has no test set",
                    "Put the benchmark's test file into the data folder.");
  for (const DataSet& set : session.task->test_sets()) {
    const Predictions predictions = evaluate_set(session, encode_for(session, set)).predictions;
    const std::optional<Submission> file = session.task->submission(set, predictions);
    if (!file)
      throw UserError("--submission", "task " + session.task->name() + " has no submission format",
                      "Use mixtune predict for predictions as JSON lines.");
    create_folder(folder);
    const std::filesystem::path path = std::filesystem::path(folder) / file->file;
    write_file_atomically(path, file->text);
    fmt::print("{}: {} predictions\n", path.string(), set.examples.size());
  }
}

int run(const EvalArguments& arguments) {
  ConsoleProgress progress(stderr);
  PredictorOptions options{.source = arguments.source,
                           .task = arguments.task,
                           .data = arguments.data,
                           .overrides = arguments.overrides,
                           .evaluation_data = true};
  if (arguments.adapter) options.adapter = *arguments.adapter;
  const auto session = open_predictor(options, progress);
  if (session->evaluation.empty())
    throw UserError(arguments.source, "the task has no evaluation set",
                    "Name a labeled file: --data FILE, or task.dev=FILE.");
  ConsoleTable table({"set", "examples", "metric", "value"});
  table.align_left(2);
  Json sets = Json::array();
  for (const EncodedSet& set : session->evaluation) {
    const SetReport report = evaluate_set(*session, set).report;
    const auto add = [&](const std::string& metric, double value) {
      table.add({report.set, count_text(report.examples), metric,
                 std::isnan(value) ? "-" : fmt::format("{:.4f}", value)});
    };
    for (const MetricValue& metric : report.metrics) add(metric.name, metric.value);
    add("loss", report.loss);
    sets.push_back(to_json(report));
  }
  fmt::print("{}", table.text());
  if (arguments.json)
    write_file_atomically(*arguments.json,
                          Json{{"task", session->task->name()}, {"sets", sets}}.dump(2) + "\n");
  if (arguments.submission) write_submissions(*session, *arguments.submission);
  return kDone;
}

CommandRun declare_eval(CLI::App& app) {
  auto arguments = std::make_shared<EvalArguments>();
  app.add_option("source", arguments->source, "Run folder or model folder")->required();
  app.add_option("overrides", arguments->overrides,
                 "key=value overrides of the config, such as task.limit_dev=100");
  app.add_option("--adapter", arguments->adapter, "Adapter folder to attach to a model");
  app.add_option("--task", arguments->task,
                 "Task to use in place of that of the run or the adapter");
  app.add_option("--data", arguments->data, "File or folder to use in place of the task's data");
  app.add_option("--json", arguments->json, "Also write the results to this JSON file");
  app.add_option("--submission", arguments->submission,
                 "Folder for the predictions on the test sets, in GLUE's format");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_eval(Registry<CommandEntry>& registry) {
  registry.add({"eval",
                "Compute the metrics of a task for a run, or for a model with an adapter",
                {"mixtune eval runs/rte-lora-0",
                 "mixtune eval models/roberta-base --adapter runs/rte-lora-0/adapter --task rte "
                 "--data data/RTE"},
                declare_eval});
}

}  // namespace mixtune
