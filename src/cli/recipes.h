// Recipes by path or by name, and the layers of a command line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/config.h"
#include "train/run_config.h"

namespace mixtune {

// Where names are looked up, nearest first: ./recipes, the recipes of an installed tree beside the
// program, those of the source tree. Only folders that exist.
std::vector<std::filesystem::path> recipe_folders();

// A file as it is named, or "lora" for <recipes>/lora.yaml or lora.yaml in base/, methods/ or
// tasks/ below it; "quickstart/lora" works too. UserError with the nearest names.
std::filesystem::path find_recipe(const std::string& name);

struct RunRequest {
  RunConfig config;
  Origins origins;
};

// Recipes left to right, then every key=value in its order. A model.path that a recipe names and
// that is not there is looked for beside the recipe folders, where shipped models are.
RunRequest read_request(const std::vector<std::string>& arguments);

}  // namespace mixtune
