// The `decoder` of tokenizer.json: tokens back to text. ByteLevel, WordPiece, Fuse and Sequence.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "text/json_field.h"

namespace molt {

class Decoder {
 public:
  Decoder() = default;  // tokens with a space between them
  explicit Decoder(const JsonField& field);
  std::string decode(std::vector<std::string> tokens) const;

 private:
  enum class Kind { kByteLevel, kWordPiece, kFuse };
  struct Step {
    Kind kind;
    std::string prefix;  // WordPiece: of a token that continues a word
    bool cleans = false;
  };
  void read(const JsonField& field);

  bool joins_with_spaces_ = true;
  std::vector<Step> steps_;
};

}  // namespace molt
