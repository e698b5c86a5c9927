#include "text/byte_level.h"

#include <array>
#include <cstdint>

#include "text/unicode.h"

namespace mixtune {
namespace {

constexpr bool is_its_own_letter(uint32_t byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<uint32_t, 256> letter{};
  std::array<int16_t, 0x144> byte{};  // of the letter; -1: none

  constexpr Alphabet() {
    for (auto& value : byte) value = -1;
    uint32_t next = 0x100;
    for (uint32_t b = 0; b < 256; ++b) {
      letter[b] = is_its_own_letter(b) ? b : next++;
      byte[letter[b]] = static_cast<int16_t>(b);
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

uint32_t byte_letter(uint8_t byte) {
  return kAlphabet.letter[byte];
}

std::optional<std::string> bytes_of_letters(std::string_view word) {
  std::string out;
  for (const char *at = word.data(), *end = at + word.size(); at < end;) {
    const uint32_t c = next_code_point(at);
    if (c >= kAlphabet.byte.size() || kAlphabet.byte[c] < 0) return std::nullopt;
    out += static_cast<char>(kAlphabet.byte[c]);
  }
  return out;
}

}  // namespace mixtune
