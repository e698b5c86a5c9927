// White space as defined by Unicode, without the tables of a library: the metrics use no other
// character properties.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mixtune {

// Code points of valid UTF-8.
std::u32string code_points(std::string_view text);

// Unicode's White_Space and the four ASCII separators that Python adds to it.
bool is_space(char32_t c);

// The non-empty parts between runs of white space.
std::vector<std::string> split_at_spaces(std::string_view text);

}  // namespace mixtune
