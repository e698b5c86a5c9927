// Words as mteval-v13a.pl makes them, the scorer of BLEU and NIST: ASCII letters in lower case,
// punctuation apart, but not full stops, commas and dashes within numbers, nor hyphens and
// apostrophes.
#pragma once

#include <string_view>

#include "metrics/segment.h"

namespace mixtune {

Words mteval_words(std::string_view text);

}  // namespace mixtune
