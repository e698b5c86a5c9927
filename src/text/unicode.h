// UTF-8 and the character classes that tokenizers use. All decoding functions require valid UTF-8:
// the tokenizer repairs its input once, on entry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mixtune {

bool is_ascii(std::string_view text);
bool is_valid_utf8(std::string_view text);
// Replaces each maximal invalid part by U+FFFD, as is standard for lossy decoders.
std::string to_valid_utf8(std::string_view text);

inline bool is_continuation(char byte) {
  return (static_cast<uint8_t>(byte) & 0xC0) == 0x80;
}

// Returns the character at `at` and advances `at` behind it.
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

// The size in bytes of the first extended grapheme cluster (UAX 29) of a non-empty text.
size_t grapheme_size(std::string_view text);

bool is_white_space(uint32_t c);
bool is_numeric(uint32_t c);           // Nd, Nl, No
bool is_mark(uint32_t c);              // Mn, Mc, Me
bool is_word_character(uint32_t c);    // \w of regular expressions (UTS 18)
bool is_bert_punctuation(uint32_t c);  // P* and ASCII symbols
bool is_bert_control(uint32_t c);      // Cc, Cf, Co, except tab and line ends
bool is_bert_accent(uint32_t c);       // Mn
bool is_bert_ideograph(uint32_t c);    // the Unicode blocks that BERT separates
bool has_decomposition(uint32_t c);    // may have a decomposition in the normalization forms

// Context-free lower case of one character; only U+0130 maps to two characters.
struct Lowered {
  uint32_t first;
  uint32_t second;  // 0: none
};
Lowered to_lower(uint32_t c);

}  // namespace mixtune
