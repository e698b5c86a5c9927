// Checks that a text is valid UTF-8, so that errors are reported for the file that they are in.
#pragma once

#include <optional>
#include <string_view>

namespace mixtune {

// The offset of the first byte that is not UTF-8 (also of overlong forms, surrogates and values
// above U+10FFFF); nothing if the text is valid.
std::optional<size_t> first_invalid_utf8(std::string_view text);

}  // namespace mixtune
