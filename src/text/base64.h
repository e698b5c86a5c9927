// Base64 (RFC 4648), the encoding of bytes in tokenizer files. Invalid input is reported, never
// repaired.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mixtune {

// Nothing if the text is not valid base64 with padding.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace mixtune
