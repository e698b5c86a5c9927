// Scalars to text and back, exactly: what YAML configs and their printed form agree on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mixtune {

// The whole text as a number, or nothing. A number may be "16", "5e-4", ".5", ".inf"; not a NaN,
// and not out of range.
std::optional<int64_t> parse_integer(std::string_view text);
std::optional<double> parse_number(std::string_view text);

// The shortest text that parse_number reads back to the same double.
std::string print_number(double value);

// "", "~", "null" (three cases): YAML's nothing.
bool is_null_word(std::string_view text);

// In double quotes, with YAML's escapes.
std::string quoted(std::string_view text);

// As a YAML scalar that any reader takes for this text: in quotes only where needed.
std::string print_text(std::string_view text);

}  // namespace mixtune
