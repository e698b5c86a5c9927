// molt config: the effective config as YAML, each value with where it came from.
#include "base/config.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/recipes.h"

namespace molt {
namespace {

CommandRun declare(CLI::App& app) {
  auto recipes = std::make_shared<std::vector<std::string>>();
  auto shows_help = std::make_shared<bool>(false);
  app.add_option("recipes", *recipes, "Recipes and key=value, as for molt train");
  app.add_flag("--describe", *shows_help,
               "Every option with its type, default, limits and meaning instead");
  return [recipes, shows_help] {
    RunRequest request = read_request(*recipes);
    fmt::print("{}",
               *shows_help ? describe(request.config) : to_yaml(request.config, request.origins));
    return kDone;
  };
}

}  // namespace

void register_config(Registry<CommandEntry>& registry) {
  registry.add({"config",
                "Prints the effective config, each value with its origin",
                {"molt config lora rte train.epochs=5", "molt config molex --describe"},
                declare});
}

}  // namespace molt
