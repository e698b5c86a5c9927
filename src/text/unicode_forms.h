// The four Unicode normalization forms, character by character, with the change each character
// makes (normalized_text.h): utf8proc's own functions lose track of where a character came from.
#pragma once

#include "text/normalized_text.h"

namespace mixtune {

enum class Decomposition { kCanonical, kCompatible };

// Appends the decomposition of one character; the first has change 0, those after it +1.
void decompose(uint32_t character, Decomposition kind, std::vector<CharacterChange>& out);
// Puts each run of combining characters in canonical order.
void order_marks(std::vector<CharacterChange>& characters);
// Composes a decomposed and ordered text.
void compose(std::vector<CharacterChange>& characters);

}  // namespace mixtune
