#include "base/utf8.h"

#include <cstdint>

namespace mixtune {

std::optional<size_t> first_invalid_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  size_t at = 0;
  while (at < text.size()) {
    const uint8_t lead = byte(at);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length == 0 || at + length > text.size()) return at;
    // The range of the second byte excludes overlong forms, surrogates and values above U+10FFFF.
    const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte(at + 1) < low || byte(at + 1) > high) return at;
    for (size_t i = 2; i < length; ++i)
      if ((byte(at + i) & 0xC0) != 0x80) return at;
    at += length;
  }
  return std::nullopt;
}

}  // namespace mixtune
