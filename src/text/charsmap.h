// The map of characters that a SentencePiece model carries: what a piece of text becomes before it
// is cut. A double array (Aoe 1989, in the layout of darts-clone) gives the place of the new text
// in a list of texts that end with a zero byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mixtune {

class Charsmap {
 public:
  // The bytes of `precompiled_charsmap`: the size of the array in bytes (32 bits, little endian),
  // the array, the texts. An error says what is wrong with them.
  static Charsmap read(std::string_view bytes, std::string& error);

  // What stands for the shortest beginning of `text` that is in the map; nothing where none is.
  std::optional<std::string_view> find(std::string_view text) const;

 private:
  bool is_sound() const;

  std::vector<uint32_t> units_;
  std::string texts_;
};

}  // namespace mixtune
