// Byte fallback: the tokens <0x00> to <0xFF>, which encode the single bytes of a character that is
// not in the vocabulary. A vocabulary may have only some of them.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "text/vocabulary.h"

namespace mixtune {

class BytePieces {
 public:
  explicit BytePieces(const Vocabulary& vocabulary) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    for (int byte = 0; byte < 256; ++byte)
      ids_[byte] =
          vocabulary.find(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + '>');
  }

  int32_t id(char byte) const { return ids_[static_cast<uint8_t>(byte)]; }  // -1: none
  bool has_all(std::string_view bytes) const {
    return std::all_of(bytes.begin(), bytes.end(), [&](char byte) { return id(byte) >= 0; });
  }

 private:
  std::array<int32_t, 256> ids_{};
};

}  // namespace mixtune
