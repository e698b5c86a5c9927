// Files with one JSON object on each line (JSONL). Includes nlohmann: for .cpp files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/json.h"

namespace mixtune {

// Calls `use` for every object with its line number, from 1. Empty lines are skipped; UserError at
// "file:line" where a line is no JSON object.
void read_json_lines(const std::filesystem::path& path,
                     const std::function<void(const Json& object, int64_t line)>& use);

}  // namespace mixtune
