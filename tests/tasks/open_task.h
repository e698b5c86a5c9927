// Opens a registered task on a folder, as a recipe does, and returns the error messages of its
// readers.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/config.h"
#include "base/error.h"
#include "support/paths.h"
#include "tasks/task.h"

namespace mixtune::test {

inline void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// `options` is YAML: "data: DIR".
inline std::unique_ptr<Task> open_task(const std::string& name, const std::string& options,
                                       std::vector<std::string> saved = {}) {
  const TaskEntry& entry = tasks().get(name, "task.name", "task");
  const std::unique_ptr<Config> config = entry.config();
  ConfigLayers layers;
  layers.add_text(options, "test");
  layers.apply(*config);
  return entry.open({.config = *config, .labels = std::move(saved)});
}

inline std::unique_ptr<Task> open_on(const std::string& name, const fs::path& data) {
  return open_task(name, "data: '" + data.string() + "'");
}

// The message of the UserError that `call` throws.
template <class Call>
std::string user_error(Call call) {
  try {
    call();
  } catch (const UserError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no UserError";
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  ADD_FAILURE() << "'" << part << "' is not in: " << text;
  return false;
}

}  // namespace mixtune::test
