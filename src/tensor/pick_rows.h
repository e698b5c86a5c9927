// Selects any number of rows per sequence. A language head reads only the rows that are followed by
// a supervised token.
#pragma once

#include "tensor/packed_batch.h"

namespace mixtune {

// Any number of rows per sequence: chosen[s] holds ascending indices among all rows. The result has
// no prompts, whose lengths refer to complete sequences.
SelectedRows pick_rows(const SequenceLayout& rows, const std::vector<std::vector<int64_t>>& chosen);

}  // namespace mixtune
