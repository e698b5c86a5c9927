// Truncation: how many tokens of each text are kept. The strategies are those of transformers.
#pragma once

#include <cstdint>
#include <optional>

#include "text/tokenizer.h"

namespace mixtune {

struct TokenCounts {
  int64_t first = 0;
  int64_t second = 0;
};

// `room`: the number of tokens available for both texts. Throws UserError if only one text may be
// truncated and it is too short.
TokenCounts truncated_counts(TokenCounts counts, bool is_pair, int64_t room, Truncation truncation);

}  // namespace mixtune
