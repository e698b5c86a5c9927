// UTF-8 and the classes of characters that tokenizers ask about. Everything that decodes expects
// valid UTF-8: the tokenizer repairs its input once, at the door.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mixtune {

bool is_ascii(std::string_view text);
bool is_valid_utf8(std::string_view text);
// Replaces each maximal part that begins no character by U+FFFD, as lossy decoders agree to do.
std::string to_valid_utf8(std::string_view text);

inline bool is_continuation(char byte) {
  return (static_cast<uint8_t>(byte) & 0xC0) == 0x80;
}

// The character at `at`, which moves behind it.
inline uint32_t next_code_point(const char*& at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(at);
  if (bytes[0] < 0x80) return at += 1, bytes[0];
  if (bytes[0] < 0xE0) return at += 2, (bytes[0] & 0x1Fu) << 6 | (bytes[1] & 0x3Fu);
  if (bytes[0] < 0xF0)
    return at += 3, (bytes[0] & 0x0Fu) << 12 | (bytes[1] & 0x3Fu) << 6 | (bytes[2] & 0x3Fu);
  return at += 4, (bytes[0] & 0x07u) << 18 | (bytes[1] & 0x3Fu) << 12 | (bytes[2] & 0x3Fu) << 6 |
                      (bytes[3] & 0x3Fu);
}

size_t utf8_size(uint32_t code_point);
void append_utf8(uint32_t code_point, std::string& text);
size_t count_code_points(std::string_view text);

// The bytes of the first extended grapheme cluster (UAX 29) of a text that is not empty.
size_t grapheme_size(std::string_view text);

bool is_white_space(uint32_t c);
bool is_numeric(uint32_t c);           // Nd, Nl, No
bool is_mark(uint32_t c);              // Mn, Mc, Me
bool is_word_character(uint32_t c);    // \w of regular expressions (UTS 18)
bool is_bert_punctuation(uint32_t c);  // P* and the symbols of ASCII
bool is_bert_control(uint32_t c);      // Cc, Cf, Co, but not tab and the line ends
bool is_bert_accent(uint32_t c);       // Mn
bool is_bert_ideograph(uint32_t c);    // the blocks that BERT sets apart
bool has_decomposition(uint32_t c);    // may have one, in the normalization forms

// Lower case of one character without regard to its neighbours; U+0130 alone has two characters.
struct Lowered {
  uint32_t first;
  uint32_t second;  // 0: none
};
Lowered to_lower(uint32_t c);

}  // namespace mixtune
