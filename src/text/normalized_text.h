// A piece of text during normalization: for every byte the corresponding bytes of the original text
// are stored, so that token offsets refer to the caller's text.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/encoding.h"

namespace mixtune {

struct NormalizedText {
  std::string text;
  std::vector<Span>
      origin;  // per byte of text; empty while text equals the original from `base` on
  uint32_t base = 0;

  void assign(std::string_view original, uint32_t begin);
  // The original bytes of the character that the byte at `at` belongs to.
  Span origin_at(size_t at) const;
  Span origin_of(Span bytes) const;
  // Copies the bytes `bytes` of `text`, with their origins.
  void copy_part(Span bytes, NormalizedText& part) const;
};

// Builds the new version of a text character by character, then replaces it.
class TextRewriter {
 public:
  explicit TextRewriter(NormalizedText& text);
  void put(uint32_t code_point, Span origin);
  void finish();

 private:
  NormalizedText& target_;
  std::string text_;
  std::vector<Span> origin_;
};

// A rewritten text as characters, each with the number of old characters it consumes: change 0
// consumes one, -n consumes n more, +1 is an insertion with the origin of the last consumed
// character.
using CharacterChange = std::pair<uint32_t, int>;
void apply_changes(const std::vector<CharacterChange>& changes, NormalizedText& text);

}  // namespace mixtune
