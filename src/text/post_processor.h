// The `post_processor` of tokenizer.json: what stands around and between the texts. Every kind of
// it comes down to two templates, one for a single text and one for a pair, and to whether the
// spaces that a byte-level token swallowed count as part of it: TemplateProcessing, BertProcessing,
// RobertaProcessing, ByteLevel and Sequence.
#pragma once

#include <vector>

#include "text/encoding.h"
#include "text/json_field.h"

namespace mixtune {

struct TemplateItem {
  int sequence = -1;         // 0 or 1: the tokens of that text; -1: the special ones below
  std::vector<int32_t> ids;  // special
  int32_t type_id = 0;
};
using Template = std::vector<TemplateItem>;

// Takes spaces out of offsets. With `keeps_first`, the first space of a text was put there by the
// tokenizer, so it does not count.
struct SpaceTrimming {
  bool keeps_first = false;
};

struct PostProcessor {
  Template single = {{.sequence = 0, .ids = {}, .type_id = 0}};
  Template pair = {{.sequence = 0, .ids = {}, .type_id = 0},
                   {.sequence = 1, .ids = {}, .type_id = 1}};
  std::vector<SpaceTrimming> trimmings;
};

PostProcessor read_post_processor(const JsonField& field);

// How many special tokens a template adds.
int64_t special_count(const Template& pattern);

// How much white space a token begins and ends with, in characters.
struct TokenSpaces {
  uint8_t leading = 0, trailing = 0;
};
TokenSpaces spaces_of(std::string_view token);

// `is_first`: the first token of its text.
Span trimmed(Span offsets, TokenSpaces spaces, bool is_first, SpaceTrimming trimming);

}  // namespace mixtune
