// The `decoder` of tokenizer.json, which converts tokens back to text. Supported: ByteLevel,
// WordPiece, Metaspace, ByteFallback, Replace, Strip, Fuse and Sequence.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "text/json_field.h"

namespace mixtune {

class Decoder {
 public:
  Decoder() = default;  // joins tokens with spaces
  explicit Decoder(const JsonField& field);
  std::string decode(std::vector<std::string> tokens) const;

 private:
  using Step = std::function<void(std::vector<std::string>& tokens)>;
  void read(const JsonField& field);

  bool joins_with_spaces_ = true;
  std::vector<Step> steps_;
};

}  // namespace mixtune
