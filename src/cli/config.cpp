// mixtune config: the effective config as YAML, with the origin of each value.
#include "base/config.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <sstream>

#include "cli/command.h"
#include "cli/recipes.h"
#include "methods/method.h"

namespace mixtune {
namespace {

// The equivalent `mixture` method of a method that has one. It is printed as comments, so that the
// output is still a recipe.
std::string spec_of(const Choice& method) {
  const MethodEntry* entry = methods().find(method.name);
  if (entry == nullptr || !entry->as_mixture || method.name == "mixture") return "";
  const auto mixture = entry->as_mixture(*method.config);
  if (!mixture) return "";
  std::string out = "\n# The same method as a mixture:\n# method:\n#   name: mixture\n";
  std::istringstream lines(to_yaml(*mixture));
  for (std::string line; std::getline(lines, line);) out += "#   " + line + "\n";
  return out;
}

CommandRun declare_config(CLI::App& app) {
  auto recipes = std::make_shared<std::vector<std::string>>();
  auto shows_help = std::make_shared<bool>(false);
  app.add_option("recipes", *recipes, "Recipes and key=value overrides, as for mixtune train");
  app.add_flag("--describe", *shows_help,
               "Print the type, default, limits and meaning of every option instead");
  return [recipes, shows_help] {
    RunRequest request = read_request(*recipes);
    if (*shows_help)
      fmt::print("{}", describe(request.config));
    else
      fmt::print("{}{}", to_yaml(request.config, request.origins), spec_of(request.config.method));
    return kDone;
  };
}

}  // namespace

void register_config(Registry<CommandEntry>& registry) {
  registry.add({"config",
                "Print the effective config with the origin of each value",
                {"mixtune config lora rte train.epochs=5", "mixtune config molex --describe"},
                declare_config});
}

}  // namespace mixtune
