// Is a text valid UTF-8? Files come from anywhere, and a wrong byte is best named where it enters.
#pragma once

#include <optional>
#include <string_view>

namespace mixtune {

// The offset of the first byte that is not UTF-8 (overlong forms, surrogates and values past
// U+10FFFF are not either); nothing where all is well.
std::optional<size_t> first_invalid_utf8(std::string_view text);

}  // namespace mixtune
