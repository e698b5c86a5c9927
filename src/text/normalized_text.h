// A piece of text on its way through the normalizers: every byte knows which bytes of the original
// text it stands for, so that a token can be pointed at in what the caller wrote.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/encoding.h"

namespace mixtune {

struct NormalizedText {
  std::string text;
  std::vector<Span>
      origin;  // per byte of text; empty while text is the original itself from `base` on
  uint32_t base = 0;

  void assign(std::string_view original, uint32_t begin);
  // The original bytes of the character that the byte at `at` belongs to.
  Span origin_at(size_t at) const;
  Span origin_of(Span bytes) const;
  // A part of it, by bytes of `text`.
  void copy_part(Span bytes, NormalizedText& part) const;
};

// Writes the successor of a text character by character, then takes its place.
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

// A rewritten text as characters with, for each, how many characters of the old text it takes:
// change 0 takes one, -n takes n more, +1 is an insertion that shares the origin of what was taken
// last.
using CharacterChange = std::pair<uint32_t, int>;
void apply_changes(const std::vector<CharacterChange>& changes, NormalizedText& text);

}  // namespace mixtune
