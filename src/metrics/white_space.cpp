#include "metrics/white_space.h"

#include <cstdint>

namespace mixtune {
namespace {

struct Decoded {
  char32_t c;
  size_t bytes;
};

Decoded decode(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<uint8_t>(text[i])); };
  const char32_t lead = byte(0);
  const size_t bytes = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (bytes == 1 || bytes > text.size()) return {lead, 1};
  char32_t c = lead & (0xFFu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) c = c << 6 | (byte(i) & 0x3F);
  return {c, bytes};
}

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded next = decode(text);
    out += next.c;
    text.remove_prefix(next.bytes);
  }
  return out;
}

bool is_space(char32_t c) {
  if (c <= 0x20) return c == 0x20 || (c >= 0x09 && c <= 0x0D) || c >= 0x1C;
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::vector<std::string> split_at_spaces(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  while (!text.empty()) {
    const Decoded next = decode(text);
    if (!is_space(next.c))
      word += text.substr(0, next.bytes);
    else if (!word.empty())
      out.push_back(std::move(word)), word.clear();
    text.remove_prefix(next.bytes);
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

}  // namespace mixtune
