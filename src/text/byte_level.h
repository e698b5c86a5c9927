// The byte-level alphabet of GPT-2: every byte has a printable letter, so that a vocabulary file
// holds no spaces and no broken UTF-8. The model works on the bytes themselves; only files are
// spelt in letters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mixtune {

uint32_t byte_letter(uint8_t byte);
// The bytes of a word in letters; nothing where a character is not a letter of the alphabet.
std::optional<std::string> bytes_of_letters(std::string_view word);

}  // namespace mixtune
