// mixtune check: everything that training does before its first step, without training.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/console_progress.h"
#include "cli/recipes.h"
#include "train/preflight.h"

namespace mixtune {
namespace {

CommandRun declare_check(CLI::App& app) {
  auto recipes = std::make_shared<std::vector<std::string>>();
  app.add_option("recipes", *recipes, "Recipes and key=value overrides, as for mixtune train")
      ->required();
  return [recipes] {
    const RunRequest request = read_request(*recipes);
    ConsoleProgress progress(stderr);
    const auto session = open_for_training(request.config, progress);
    const Preflight checked = preflight(*session);
    fmt::print("{}\n", render(checked));
    std::fflush(stdout);
    for (const std::string& line : checked.warnings) progress.on_warning(line);
    return kDone;
  };
}

}  // namespace

void register_check(Registry<CommandEntry>& registry) {
  registry.add({"check",
                "Check a run without training: adapted modules, labels, lengths, memory",
                {"mixtune check lora rte model.path=models/roberta-base task.data=data/RTE"},
                declare_check});
}

}  // namespace mixtune
