#include "cli/recipes.h"

#include <algorithm>

#include "base/error.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

// Folders below a recipe folder that a bare name is looked for in.
const char* const kLayers[] = {"", "base", "methods", "tasks"};

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// Every name that find_recipe would find: "lora", "quickstart/lora".
std::vector<std::string> known_recipes() {
  std::vector<std::string> out;
  for (const fs::path& root : recipe_folders()) {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(root, error)) {
      if (entry.path().extension() != ".yaml") continue;
      const fs::path relative = fs::relative(entry.path(), root, error).replace_extension();
      const std::string folder = relative.parent_path().string();
      const bool is_layer =
          std::find(std::begin(kLayers), std::end(kLayers), folder) != std::end(kLayers);
      out.push_back(is_layer ? relative.filename().string() : relative.string());
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Recipes name the shipped model by its path in the tree ("models/tiny-gpt2"). Where that path does
// not exist from here, it is looked up beside the recipe folders; else it is returned as it is.
std::string shipped_model(const std::string& path) {
  std::error_code error;
  if (path.empty() || fs::exists(path, error)) return path;
  for (const fs::path& recipes : recipe_folders())
    if (fs::path found = (fs::absolute(recipes).parent_path() / path).lexically_normal();
        fs::is_directory(found, error))
      return found;
  return path;
}

}  // namespace

std::vector<fs::path> recipe_folders() {
  std::vector<fs::path> candidates = {"recipes"};
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (const fs::path folder = program.parent_path(); folder.parent_path().filename() == "libexec")
    candidates.push_back(folder.parent_path().parent_path() / "share/mixtune/recipes");
  candidates.emplace_back(fs::path(MIXTUNE_SOURCE_DIR) / "recipes");
  std::vector<fs::path> out;
  for (const fs::path& folder : candidates) {
    const bool is_known = std::any_of(out.begin(), out.end(), [&](const fs::path& other) {
      return fs::equivalent(folder, other, error);
    });
    if (fs::is_directory(folder, error) && !is_known) out.push_back(folder);
  }
  return out;
}

fs::path find_recipe(const std::string& name) {
  if (is_file(name)) return name;
  for (const fs::path& root : recipe_folders())
    for (const char* layer : kLayers)
      if (fs::path path = (root / layer / (name + ".yaml")).lexically_normal(); is_file(path))
        return path;
  if (name.ends_with(".yaml") || name.starts_with("/"))
    throw UserError(name, "does not exist", "Check the path; mixtune train --help explains names.");
  throw UserError("recipe '" + name + "'", "is neither a file nor a recipe",
                  suggestion(name, known_recipes()));
}

RunRequest read_request(const std::vector<std::string>& arguments) {
  ConfigLayers layers;
  std::vector<std::string> overrides;
  for (const std::string& argument : arguments) {
    if (argument.find('=') != std::string::npos && !is_file(argument))
      overrides.push_back(argument);
    else
      layers.add_file(find_recipe(argument));
  }
  for (const std::string& assignment : overrides) layers.add_override(assignment);
  RunRequest request;
  request.origins = layers.apply(request.config);
  if (const auto origin = request.origins.find("model.path");
      origin != request.origins.end() && origin->second != "command line")
    request.config.model.path = shipped_model(request.config.model.path);
  return request;
}

}  // namespace mixtune
