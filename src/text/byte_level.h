// The byte-level alphabet of GPT-2: every byte is mapped to a printable letter, so that a
// vocabulary file contains neither spaces nor invalid UTF-8. The model works on the bytes
// themselves; letters are used only in files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mixtune {

uint32_t byte_letter(uint8_t byte);
// The bytes of a word spelled in letters; nothing if a character is not a letter of the alphabet.
std::optional<std::string> bytes_of_letters(std::string_view word);

}  // namespace mixtune
