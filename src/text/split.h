// Splits a text at the matches of a pattern; the behavior defines what happens to the matches and
// to the text between them (names as in tokenizer.json).
#pragma once

#include <vector>

#include "text/encoding.h"
#include "text/json_field.h"

namespace mixtune {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
SplitBehavior read_behavior(const JsonField& field);

// Appends the non-empty parts of a text of `size` bytes, shifted by `base`. `invert`: the text
// between the matches is treated as the matches.
void split(const std::vector<Span>& matches, uint32_t size, SplitBehavior behavior, bool invert,
           uint32_t base, std::vector<Span>& out);

}  // namespace mixtune
