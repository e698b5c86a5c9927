// GPT-2's pattern, by hand: a regular-expression engine takes most of the time of byte-level BPE. A
// test holds it equal to Oniguruma on hard and on random texts.
#pragma once

#include <string_view>
#include <vector>

#include "text/encoding.h"

namespace mixtune {

inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Appends the matches in `text` from byte `begin` to byte `end`; together they cover all of it.
void split_by_gpt2_pattern(std::string_view text, Span part, std::vector<Span>& out);

}  // namespace mixtune
