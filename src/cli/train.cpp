// mixtune train: trains a model from recipes and writes a run folder.
#include "train/trainer.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/command_line.h"
#include "cli/console_progress.h"
#include "cli/recipes.h"
#include "cli/run_report.h"
#include "cli/stop_signal.h"

namespace mixtune {
namespace {

struct TrainArguments {
  std::vector<std::string> recipes;
  std::string output;
  bool overwrite = false;
};

int run(const TrainArguments& arguments) {
  std::vector<std::string> layers = arguments.recipes;
  if (!arguments.output.empty()) layers.push_back("output=" + arguments.output);
  const RunRequest request = read_request(layers);
  const StopSignal stop;
  ConsoleProgress progress(stdout);
  return report_run(train(request.config,
                          {.overwrite = arguments.overwrite,
                           .origins = request.origins,
                           .interrupt = stop.flag(),
                           .command = typed_command_line()},
                          progress));
}

CommandRun declare_train(CLI::App& app) {
  auto arguments = std::make_shared<TrainArguments>();
  app.add_option("recipes", arguments->recipes,
                 "Recipes (files, or names such as lora and rte), merged left to right, and "
                 "key=value overrides")
      ->required();
  app.add_option("--output", arguments->output, "Run folder (sets the key output)");
  app.add_flag("--overwrite", arguments->overwrite, "Replace the run folder if it exists");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_train(Registry<CommandEntry>& registry) {
  registry.add(
      {"train",
       "Fine-tune a model; writes a run folder and prints a result table",
       {"mixtune train lora rte model.path=models/roberta-base task.data=data/RTE",
        "mixtune train molex qnli model.path=MODEL task.data=DATA train.epochs=5 --output runs/q"},
       declare_train});
}

}  // namespace mixtune
