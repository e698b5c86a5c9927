// Words as tokenized by mteval-v13a.pl, the scorer of BLEU and NIST: ASCII letters in lower case,
// punctuation separated, except full stops, commas and dashes within numbers, and hyphens and
// apostrophes.
#pragma once

#include <string_view>

#include "metrics/segment.h"

namespace mixtune {

Words mteval_words(std::string_view text);

}  // namespace mixtune
