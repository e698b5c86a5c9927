// JSON files. This header costs four seconds to compile: include it in .cpp files only.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace mixtune {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // objects keep the order of the file

// Parses a file. UserError with file, line and column if it is not JSON, or if it is nested deeper
// than 256 levels.
Json read_json(const std::filesystem::path& path);
Json parse_json(std::string_view text, const std::string& where);

// The same, but a repeated key is an error (nlohmann silently uses the last one). The ordered form
// is for small files: an object with more than 10,000 keys is an error too.
Json parse_strict_json(std::string_view text, const std::string& where);
OrderedJson parse_ordered_json(std::string_view text, const std::string& where);

// A number, or null if it is not finite, because JSON has no infinity.
Json number_or_null(double value);

double rounded(double value);  // to six decimals, for printed lines

// "over.alpha" for the pointer "/over/alpha".
std::string dotted(std::string pointer);

}  // namespace mixtune
