// What becomes of the matches of a pattern and of the text between them.
#pragma once

#include <vector>

#include "text/encoding.h"
#include "text/json_field.h"

namespace mixtune {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
SplitBehavior read_behavior(const JsonField& field);

// Appends the non-empty parts of a text of `size` bytes, moved by `base`. `invert`: what lies
// between the matches counts as the matches.
void split(const std::vector<Span>& matches, uint32_t size, SplitBehavior behavior, bool invert,
           uint32_t base, std::vector<Span>& out);

}  // namespace mixtune
