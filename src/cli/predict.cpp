// mixtune predict: reads JSON lines with the task's text fields and writes JSON lines with labels
// and scores.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/console_progress.h"
#include "files/json_lines.h"
#include "train/evaluate.h"
#include "train/predictor.h"

namespace mixtune {
namespace {

struct PredictArguments {
  std::string source, input, output = "-";
  std::optional<std::string> adapter, task;
};

// The JSON line of one request. Classification: the label and the scores of all labels, which are
// probabilities for a classification head or label tokens, and log-probabilities divided by length
// for whole answers. Regression: the score. Otherwise: the likelihood of the text.
std::string prediction_line(const Session& session, const Predictions& p) {
  OrderedJson line;
  if (session.task->is_regression()) {
    line["score"] = p.scores.at(0);
  } else if (!p.labels.empty()) {
    line["label"] = session.label_name(p.labels[0]);
    for (const LabelScore& one : p.label_scores.at(0))
      line["scores"][session.label_name(one.label)] = rounded(one.score);
  } else {
    Likelihood all;
    for (const Likelihood& one : p.likelihoods) {
      all.log_probability += one.log_probability;
      all.tokens += one.tokens;
    }
    line["log_probability"] = rounded(all.log_probability);
    line["tokens"] = all.tokens;
    line["perplexity"] = rounded(
        std::exp(-all.log_probability / static_cast<double>(std::max<int64_t>(1, all.tokens))));
  }
  return line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

// Each request is its own data set, since one request may need several sequences (a question with
// several answers, a text in several chunks).
struct Request {
  DataSet set;
  int64_t first = 0, sequences = 0;
};

struct Requests {
  std::vector<Request> requests;
  std::vector<EncodedExample> sequences;
};

Requests read_requests(const Session& session, const std::string& input) {
  Requests out;
  const std::string name = input == "-" ? "standard input" : input;
  read_json_lines(input == "-" ? "/dev/stdin" : input, [&](const Json& object, int64_t line) {
    Request& one = out.requests.emplace_back();
    one.set = {.name = "request", .source = name};
    one.set.examples.push_back(
        session.task->example_from_json(object, name + ":" + std::to_string(line)));
    one.set.examples[0].id = static_cast<int64_t>(out.requests.size()) - 1;
    one.set.examples[0].line = line;
    EncodedExamples encoded = encode_evaluation(session, one.set);
    if (encoded.examples.empty())
      throw UserError(name + ":" + std::to_string(line),
                      "has nothing to predict" +
                          (encoded.notes.empty() ? "" : ": " + join_names(encoded.notes, "; ")),
                      advice_for_empty_set(session));
    one.first = static_cast<int64_t>(out.sequences.size());
    one.sequences = static_cast<int64_t>(encoded.examples.size());
    std::move(encoded.examples.begin(), encoded.examples.end(), std::back_inserter(out.sequences));
  });
  return out;
}

int run(const PredictArguments& arguments) {
  ConsoleProgress progress(stderr);
  PredictorOptions options{.source = arguments.source, .task = arguments.task};
  if (arguments.adapter) options.adapter = *arguments.adapter;
  const auto session = open_predictor(options, progress);
  const Requests input = read_requests(*session, arguments.input);
  std::string lines;
  if (!input.requests.empty()) {
    const Tensor outputs = predict_logits(*session, input.sequences);  // [N, W]
    for (const Request& request : input.requests) {
      const std::vector<EncodedExample> sequences(
          input.sequences.begin() + request.first,
          input.sequences.begin() + request.first + request.sequences);
      const Tensor part = outputs.narrow(0, request.first, request.sequences);
      lines += prediction_line(
          *session, session->task->combine(request.set, sequences,
                                           session->objective->predictions(part, sequences)));
    }
  }
  if (arguments.output == "-")
    fmt::print("{}", lines);
  else
    write_file_atomically(arguments.output, lines);
  return kDone;
}

CommandRun declare_predict(CLI::App& app) {
  auto arguments = std::make_shared<PredictArguments>();
  app.add_option("source", arguments->source, "Run folder or model folder")->required();
  app.add_option("--input", arguments->input,
                 "JSON lines with the task's text fields; - is standard input")
      ->required();
  app.add_option("--output", arguments->output,
                 "JSON lines with labels and scores, or likelihoods; - is standard output")
      ->capture_default_str();
  app.add_option("--adapter", arguments->adapter, "Adapter folder to attach to a model");
  app.add_option("--task", arguments->task,
                 "Task to use in place of that of the run or the adapter");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_predict(Registry<CommandEntry>& registry) {
  registry.add({"predict",
                "Predict labels for JSON lines of text",
                {"mixtune predict runs/qnli-molex+lora-0 --input pairs.jsonl",
                 "echo '{\"question\": \"Who?\", \"sentence\": \"She did.\"}' | mixtune predict "
                 "RUN --input -"},
                declare_predict});
}

}  // namespace mixtune
