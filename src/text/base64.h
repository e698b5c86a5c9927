// Base64 (RFC 4648), in which tokenizer files write bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mixtune {

// Nothing where the text is not base64, padding included.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace mixtune
