// molt predict: JSON lines with the task's text fields in, JSON lines with labels and scores out.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <iostream>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/console_progress.h"
#include "files/json_lines.h"
#include "train/evaluate.h"
#include "train/predictor.h"

namespace molt {
namespace {

struct PredictArguments {
  std::string source, input, output = "-";
  std::optional<std::string> adapter, task;
};

// The order of keys is kept for people: the label first, then the scores in the order of label ids.
using OrderedJson = nlohmann::ordered_json;

// `scores` of a class are probabilities; of a regression there is one score, in the task's unit.
std::string prediction_line(const Session& session, const Tensor& logits) {  // [C]
  OrderedJson line;
  if (session.task->is_regression()) {
    line["score"] = logits[0].item<double>();
  } else {
    const Tensor probabilities = logits.to(at::kDouble).softmax(0);  // [C]
    line["label"] = session.label_name(logits.argmax().item<int64_t>());
    for (int64_t c = 0; c < logits.size(0); ++c)
      line["scores"][session.label_name(c)] =
          std::round(probabilities[c].item<double>() * 1e6) / 1e6;
  }
  return line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

std::vector<EncodedExample> read_examples(const Session& session, const std::string& input) {
  std::vector<EncodedExample> out;
  const std::string name = input == "-" ? "standard input" : input;
  read_json_lines(input == "-" ? "/dev/stdin" : input, [&](const Json& object, int64_t line) {
    Example example = session.task->example_from_json(object, name + ":" + std::to_string(line));
    example.id = static_cast<int64_t>(out.size());
    out.push_back(encode_example(*session.tokenizer, example, session.encode));
  });
  return out;
}

int run(const PredictArguments& arguments) {
  ConsoleProgress progress(stderr);
  PredictorOptions options{.source = arguments.source, .task = arguments.task};
  if (arguments.adapter) options.adapter = *arguments.adapter;
  const auto session = open_predictor(options, progress);
  const std::vector<EncodedExample> examples = read_examples(*session, arguments.input);
  std::string lines;
  if (!examples.empty()) {
    const Tensor logits = predict_logits(*session, examples);  // [N, C]
    for (int64_t n = 0; n < logits.size(0); ++n) lines += prediction_line(*session, logits[n]);
  }
  if (arguments.output == "-")
    fmt::print("{}", lines);
  else
    write_file_atomically(arguments.output, lines);
  return kDone;
}

CommandRun declare(CLI::App& app) {
  auto arguments = std::make_shared<PredictArguments>();
  app.add_option("source", arguments->source, "A run folder or a model folder")->required();
  app.add_option("--input", arguments->input,
                 "JSON lines with the task's text fields; - is standard input")
      ->required();
  app.add_option("--output", arguments->output,
                 "JSON lines with label and scores; - is standard output")
      ->capture_default_str();
  app.add_option("--adapter", arguments->adapter, "An adapter folder, on top of a model");
  app.add_option("--task", arguments->task, "Instead of the run's or the adapter's task");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_predict(Registry<CommandEntry>& registry) {
  registry.add(
      {"predict",
       "Predicts labels for JSON lines of text",
       {"molt predict runs/qnli-molex-0 --input pairs.jsonl",
        "echo '{\"question\": \"Who?\", \"sentence\": \"She did.\"}' | molt predict RUN --input -"},
       declare});
}

}  // namespace molt
