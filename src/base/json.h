// JSON files. This header costs four seconds to compile: include it in .cpp files only.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace molt {

using Json = nlohmann::json;

// Parses a file; UserError with the file, line and column where it is not JSON, or nests deeper than 256.
Json read_json(const std::filesystem::path& path);
Json parse_json(std::string_view text, const std::string& where);

}  // namespace molt
