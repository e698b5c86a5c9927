// Deterministic selection of rows: each row has a hash, and the rows with the smallest hashes are
// selected. The selection depends on neither seed nor platform, and a smaller one is a subset of a
// larger one.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace mixtune {

// A hash of bytes that is the same everywhere: FNV-1a and the finalizer of splitmix64.
uint64_t stable_hash(std::string_view bytes);

// Keeps `count` examples (all, if there are no more), selected by row number, in file order.
void limit_examples(DataSet& set, int64_t count);

// Moves a fraction of the examples, rounded, into the second set. Rows are selected by text, and
// equal texts stay together, so no text is in both sets; the second set can be slightly larger than
// requested.
std::pair<DataSet, DataSet> split_by_text(const DataSet& all, double share);

}  // namespace mixtune
