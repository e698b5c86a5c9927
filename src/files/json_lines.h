// Files with one JSON object per line (JSONL). Includes nlohmann, so include it only in .cpp files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/json.h"

namespace mixtune {

// Calls `use` for every object with its line number, from 1. Empty lines are skipped. Throws
// UserError at "file:line" if a line is not a JSON object.
void read_json_lines(const std::filesystem::path& path,
                     const std::function<void(const Json& object, int64_t line)>& use);

}  // namespace mixtune
