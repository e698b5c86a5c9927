// mixtune score: computes the metrics of a task for outputs in a file, from any system. It loads no
// model.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/console.h"
#include "tasks/e2e_read.h"
#include "tasks/e2e_score.h"

namespace mixtune {
namespace {

struct ScoreArguments {
  std::string task, references, outputs;
  std::optional<std::string> segments;
  bool is_json = false;
};

// The scored segments, and counts of empty texts that are probably mistakes.
struct Matched {
  std::vector<TextSegment> segments;
  int64_t references = 0, empty_references = 0, without_reference = 0, empty_outputs = 0;
};

Matched match(const std::vector<const E2eGroup*>& groups, const E2eOutputs& outputs) {
  Matched out;
  for (size_t i = 0; i < groups.size(); ++i) {
    const std::vector<std::string>& texts = groups[i]->texts;
    const auto empty = std::count(texts.begin(), texts.end(), "");
    out.references += static_cast<int64_t>(texts.size());
    out.empty_references += empty;
    out.without_reference += empty == static_cast<int64_t>(texts.size());
    out.empty_outputs += outputs.texts[i].empty();
    out.segments.push_back({.output = outputs.texts[i], .references = texts});
  }
  return out;
}

void warn(int64_t count, const std::string& file, const std::string& what) {
  if (count > 0) fmt::print(stderr, "{}: {} {}\n", file, count_text(count), what);
}

// A JSON object of the metrics, in their order.
OrderedJson named(const std::vector<MetricValue>& metrics) {
  OrderedJson out = OrderedJson::object();
  for (const MetricValue& metric : metrics) out[metric.name] = metric.value;
  return out;
}

void write_segments(const std::filesystem::path& path, const std::vector<const E2eGroup*>& groups,
                    const Matched& matched, const E2eScores& scores) {
  std::string lines;
  for (size_t i = 0; i < groups.size(); ++i) {
    OrderedJson line = {{"segment", i + 1}};
    if (!groups[i]->meaning.empty()) line["meaning"] = groups[i]->meaning;
    line["output"] = matched.segments[i].output;
    line["references"] = matched.segments[i].references.size();
    line.update(named(scores.segments[i]));
    lines += line.dump() + '\n';
  }
  write_file_atomically(path, lines);
}

int run(const ScoreArguments& arguments) {
  if (arguments.task != "e2e")
    throw UserError("mixtune score", "cannot score the task '" + arguments.task + "'",
                    suggestion(arguments.task, {"e2e"}));
  const std::vector<E2eGroup> references = read_e2e_references(arguments.references);
  const E2eOutputs outputs = read_e2e_outputs(arguments.outputs);
  const std::vector<const E2eGroup*> groups =
      align_e2e(references, arguments.references, outputs, arguments.outputs);
  const Matched matched = match(groups, outputs);
  warn(matched.empty_outputs, arguments.outputs, "of the outputs are empty; they score 0");
  warn(matched.empty_references, arguments.references,
       "of the references are empty; they count as references without a word");
  warn(matched.without_reference, arguments.references,
       "of the meanings have no reference text; their outputs score 0, and chrf leaves them out");
  const E2eScores scores =
      score_e2e(matched.segments, arguments.segments ? E2eDetail::segments : E2eDetail::system);
  if (arguments.segments) write_segments(*arguments.segments, groups, matched, scores);
  if (arguments.is_json) {
    OrderedJson out;
    out["metrics"] = named(scores.metrics);
    out["task"] = arguments.task;
    out["outputs"] = matched.segments.size();
    out["references"] = matched.references;
    out["empty_outputs"] = matched.empty_outputs;
    out["empty_references"] = matched.empty_references;
    out["without_reference"] = matched.without_reference;
    fmt::print("{}\n", out.dump());
    return kDone;
  }
  fmt::print("{}: {} outputs, {} references\n", arguments.task,
             count_text(static_cast<int64_t>(matched.segments.size())),
             count_text(matched.references));
  for (const MetricValue& metric : scores.metrics)
    fmt::print("  {:<8} {:8.4f}\n", metric.name, metric.value);
  return kDone;
}

CommandRun declare_score(CLI::App& app) {
  auto arguments = std::make_shared<ScoreArguments>();
  app.add_option("task", arguments->task, "Task whose metrics are computed: e2e")->required();
  app.add_option("--references", arguments->references,
                 "References: CSV or TSV with the columns mr and ref, lines meaning||text, or "
                 "groups of texts")
      ->required();
  app.add_option("--outputs", arguments->outputs,
                 "Outputs: one text per line, JSON lines of mixtune generate, or CSV or TSV with "
                 "the columns MR and output")
      ->required();
  app.add_option("--segments", arguments->segments,
                 "Also write the scores of each output to this file, as JSON lines");
  app.add_flag("--json", arguments->is_json, "Print one JSON object instead of the table");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_score(Registry<CommandEntry>& registry) {
  registry.add({"score",
                "Compute the metrics of existing outputs",
                {"mixtune score e2e --references testset_w_refs.csv --outputs outputs.txt --json"},
                declare_score});
}

}  // namespace mixtune
