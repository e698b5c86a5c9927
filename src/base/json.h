// JSON files. This header costs four seconds to compile: include it in .cpp files only.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace mixtune {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // objects keep the order of the file

// Parses a file; UserError with the file, line and column where it is not JSON, or nests deeper
// than 256.
Json read_json(const std::filesystem::path& path);
Json parse_json(std::string_view text, const std::string& where);

// As above, and a repeated key is an error (nlohmann would silently take the last). The ordered
// form is for small files: an object of more than 10,000 keys is an error too.
Json parse_strict_json(std::string_view text, const std::string& where);
OrderedJson parse_ordered_json(std::string_view text, const std::string& where);

// A number, or null where it is not finite: JSON has no infinity.
Json number_or_null(double value);

double rounded(double value);  // to six decimals, for lines that people read

// "over.alpha" for the pointer "/over/alpha".
std::string dotted(std::string pointer);

}  // namespace mixtune
