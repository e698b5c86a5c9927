// Choosing rows without randomness: each row has a hash, the rows with the smallest hashes are
// chosen. So a choice depends on neither seed nor platform, and a smaller one is part of a larger.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace mixtune {

// A hash of bytes that is the same everywhere: FNV-1a and the finaliser of splitmix64.
uint64_t stable_hash(std::string_view bytes);

// Keeps `count` examples (all, where there are no more), chosen by row number, in the order of the
// file.
void limit_examples(DataSet& set, int64_t count);

// Moves a share of the examples, rounded, into the second set. Chosen by text, and equal texts stay
// together: no text stands in both sets, which can make the second set a little larger than asked.
std::pair<DataSet, DataSet> split_by_text(const DataSet& all, double share);

}  // namespace mixtune
