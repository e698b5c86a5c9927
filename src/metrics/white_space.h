// White space in the sense of Unicode, without tables of a library: this room needs no other
// properties of characters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mixtune {

// Code points of valid UTF-8.
std::u32string code_points(std::string_view text);

// Unicode's White_Space, and the four separators of ASCII that Python adds to it.
bool is_space(char32_t c);

// Between runs of white space; never empty ones.
std::vector<std::string> split_at_spaces(std::string_view text);

}  // namespace mixtune
