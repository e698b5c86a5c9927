// The rows that a language head reads: those before a token that is learnt.
#pragma once

#include "tensor/packed_batch.h"

namespace mixtune {

// Some rows of each sequence, maybe none: chosen[s] holds numbers among all rows, rising. Prompts
// are left behind: they are counted in rows of whole sequences.
SelectedRows pick_rows(const SequenceLayout& rows, const std::vector<std::vector<int64_t>>& chosen);

}  // namespace mixtune
