#include "tasks/find_file.h"

#include <algorithm>

#include "base/error.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

std::string contents(const fs::path& folder) {
  constexpr size_t kShown = 8;
  std::vector<std::string> names;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  if (names.empty()) return "nothing";
  const size_t more = names.size() > kShown ? names.size() - kShown : 0;
  names.resize(names.size() - more);
  return join_names(names) + (more ? " and " + std::to_string(more) + " more" : "");
}

}  // namespace

fs::path data_folder(const std::string& data, const std::string& name) {
  if (data.empty())
    throw UserError("task.data", "no folder is given",
                    "Set task.data to the folder of " + name + ".");
  std::error_code ignored;
  if (!fs::is_directory(data, ignored))
    throw UserError(
        "task.data",
        "'" + data + (fs::exists(data, ignored) ? "' is a file" : "' does not exist") +
            "; expected the folder of " + name,
        "Give the folder, and name single files with task.train, task.dev and task.test.");
  const fs::path folder = data;
  return fs::is_directory(folder / name, ignored) ? folder / name : folder;
}

fs::path named_file(const fs::path& folder, const std::string& name, const std::string& option) {
  std::error_code ignored;
  for (const fs::path& path : {folder / name, fs::path(name)})
    if (fs::is_regular_file(path, ignored)) return path;
  throw UserError(
      option,
      "there is no file '" + name + "'" +
          (folder.empty() ? "" : " in " + folder.string() + ", which contains " + contents(folder)),
      "Name a file within task.data, or give its full path.");
}

std::optional<fs::path> first_file(const fs::path& folder, const std::vector<std::string>& names) {
  std::error_code ignored;
  for (const std::string& name : names)
    if (fs::is_regular_file(folder / name, ignored)) return folder / name;
  return std::nullopt;
}

fs::path required_file(const fs::path& folder, const std::vector<std::string>& names,
                       const std::string& option) {
  if (const auto path = first_file(folder, names)) return *path;
  throw UserError(
      folder.string(), "found " + contents(folder) + "; expected " + join_names(names, " or "),
      "Set task.data to the folder with that file, or name the file with " + option + ".");
}

}  // namespace mixtune
