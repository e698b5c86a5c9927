// A hand-written matcher of GPT-2's pattern: with a regular-expression engine, matching takes most
// of the time of byte-level BPE. A test compares it with Oniguruma on difficult and on random
// texts.
#pragma once

#include <string_view>
#include <vector>

#include "text/encoding.h"

namespace mixtune {

inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Appends the matches in the bytes `part` of `text`; together they cover all of it.
void split_by_gpt2_pattern(std::string_view text, Span part, std::vector<Span>& out);

}  // namespace mixtune
