// The four Unicode normalization forms, character by character, with the change of each
// character (normalized_text.h): utf8proc's own functions do not track the origin of characters.
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
