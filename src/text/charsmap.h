// The character map of a SentencePiece model, which normalizes a text before it is tokenized. A
// double array (Aoe 1989, in the layout of darts-clone) gives the position of the replacement in a
// list of zero-terminated texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mixtune {

class Charsmap {
 public:
  // The bytes of `precompiled_charsmap`: the size of the array in bytes (32 bits, little endian),
  // the array, the texts. `error` describes what is invalid.
  static Charsmap read(std::string_view bytes, std::string& error);

  // The replacement for the shortest prefix of `text` that is in the map; nothing if there is none.
  std::optional<std::string_view> find(std::string_view text) const;

 private:
  bool is_sound() const;

  std::vector<uint32_t> units_;
  std::string texts_;
};

}  // namespace mixtune
