// Finds recipes by path or by name, and reads the config of a command line.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/config.h"
#include "train/run_config.h"

namespace mixtune {

// The folders in which names are looked up, in this order: ./recipes, the recipes of the installed
// program, those of the source tree. Folders that do not exist are left out.
std::vector<std::filesystem::path> recipe_folders();

// `name` if it is a file; otherwise "lora" is <recipes>/lora.yaml or lora.yaml in base/, methods/
// or tasks/ of that folder, and "quickstart/lora" also works. UserError with the nearest names.
std::filesystem::path find_recipe(const std::string& name);

struct RunRequest {
  RunConfig config;
  Origins origins;
};

// Merges the recipes from left to right, then the key=value overrides in their order. If a recipe
// has a model.path that does not exist, it is looked up beside the recipe folders, where the
// shipped models are.
RunRequest read_request(const std::vector<std::string>& arguments);

}  // namespace mixtune
