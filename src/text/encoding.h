// The result of encoding a text. Offsets are half-open and relative to the start of the text that a
// token comes from: the first or the second of a pair. Special tokens that the tokenizer added have
// the offsets 0, 0.
#pragma once

#include <cstdint>
#include <vector>

namespace mixtune {

struct Span {
  uint32_t begin = 0;
  uint32_t end = 0;
  bool operator==(const Span&) const = default;
};

struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;  // of the segment: 0 or 1
  std::vector<uint8_t> special;   // 1 for a token that the tokenizer added around the text
  std::vector<Span> offsets;      // empty unless requested
  bool truncated = false;
};

}  // namespace mixtune
