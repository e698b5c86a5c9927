// How many tokens of each text may stay.
#pragma once

#include <cstdint>
#include <optional>

#include "text/tokenizer.h"

namespace mixtune {

struct TokenCounts {
  int64_t first = 0;
  int64_t second = 0;
};

// `room`: for the tokens of both texts. UserError where only one text may be cut and is too short
// for it.
TokenCounts truncated_counts(TokenCounts counts, bool is_pair, int64_t room, Truncation truncation);

}  // namespace mixtune
