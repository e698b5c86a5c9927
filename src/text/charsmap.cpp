#include "text/charsmap.h"

#include <cstdint>
#include <cstring>

#include "text/unicode.h"

namespace mixtune {
namespace {

// A unit of the array: bits 0 to 7 are the byte that leads to it, bit 8 is set if a text ends at
// it, bit 9 if the offset counts in units of 256, and bits 10 to 30 are the offset of its children;
// with bit 31 set the unit is a value.
uint32_t children_of(uint32_t unit) {
  return (unit >> 10) << ((unit & 1u << 9) >> 6);
}
bool has_value(uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
uint32_t value_of(uint32_t unit) {
  return unit & 0x7FFFFFFFu;
}
bool is_reached_by(uint32_t unit, uint8_t byte) {
  return (unit & (1u << 31 | 0xFF)) == byte;
}

}  // namespace

Charsmap Charsmap::read(std::string_view bytes, std::string& error) {
  Charsmap out;
  uint32_t size = 0;
  if (bytes.size() < sizeof(size)) {
    error = "is truncated";
    return out;
  }
  std::memcpy(&size, bytes.data(), sizeof(size));
  bytes.remove_prefix(sizeof(size));
  if (size == 0 || size % sizeof(uint32_t) != 0 || size > bytes.size()) {
    error = "declares an array of " + std::to_string(size) + " bytes and has " +
            std::to_string(bytes.size());
    return out;
  }
  out.units_.resize(size / sizeof(uint32_t));
  std::memcpy(out.units_.data(), bytes.data(), size);
  out.texts_ = bytes.substr(size);
  if (!is_valid_utf8(out.texts_))
    error = "maps to text that is not UTF-8";
  else if (!out.is_sound())
    error = "points outside of itself";
  return out;
}

// Follows every path, so that lookups need no bounds checks.
bool Charsmap::is_sound() const {
  std::vector<bool> seen(units_.size());
  std::vector<uint32_t> open = {0};
  seen[0] = true;
  while (!open.empty()) {
    const uint32_t at = open.back();
    open.pop_back();
    const uint32_t unit = units_[at];
    const uint32_t children = at ^ children_of(unit);
    if ((children | 0xFF) >= units_.size()) return false;
    if (has_value(unit)) {
      const uint32_t text = value_of(units_[children]);
      if (text >= texts_.size() || is_continuation(texts_[text])) return false;
    }
    for (uint32_t byte = 1; byte < 256; ++byte) {
      const uint32_t child = children ^ byte;
      if (seen[child] || !is_reached_by(units_[child], static_cast<uint8_t>(byte))) continue;
      seen[child] = true;
      open.push_back(child);
    }
  }
  return true;
}

std::optional<std::string_view> Charsmap::find(std::string_view text) const {
  uint32_t children = children_of(units_[0]);
  for (const char letter : text) {
    const auto byte = static_cast<uint8_t>(letter);
    if (byte == 0) return std::nullopt;
    const uint32_t at = children ^ byte;
    if (!is_reached_by(units_[at], byte)) return std::nullopt;
    children = at ^ children_of(units_[at]);
    if (has_value(units_[at])) {
      const auto rest = std::string_view(texts_).substr(value_of(units_[children]));
      return rest.substr(0, rest.find('\0'));
    }
  }
  return std::nullopt;
}

}  // namespace mixtune
