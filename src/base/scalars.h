// Converts scalars to text and back exactly, for YAML configs and their printed form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mixtune {

// The whole text as a number; nothing if it is not one. A number may be "16", "5e-4", ".5" or
// ".inf", but not a NaN, and it must be in range.
std::optional<int64_t> parse_integer(std::string_view text);
std::optional<double> parse_number(std::string_view text);

// The shortest text that parse_number reads as the same double.
std::string print_number(double value);

// The null values of YAML: "", "~", "null", "Null", "NULL".
bool is_null_word(std::string_view text);

// The text in double quotes, with YAML's escapes.
std::string quoted(std::string_view text);

// The text as a YAML scalar that every reader reads as this string; in quotes only if needed.
std::string print_text(std::string_view text);

}  // namespace mixtune
