// The `post_processor` of tokenizer.json, which adds special tokens around and between the texts.
// Every supported type (TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and
// Sequence) reduces to two templates, one for a single text and one for a pair, and to whether
// offsets include the spaces of a byte-level token.
#pragma once

#include <vector>

#include "text/encoding.h"
#include "text/json_field.h"

namespace mixtune {

struct TemplateItem {
  int sequence = -1;         // 0 or 1: the tokens of that text; -1: special tokens
  std::vector<int32_t> ids;  // special
  int32_t type_id = 0;
};
using Template = std::vector<TemplateItem>;

// Excludes spaces from offsets. With `keeps_first`, the first space of a text was inserted by the
// tokenizer and has no offset to exclude.
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

// The number of special tokens that a template adds.
int64_t special_count(const Template& pattern);

// The white space at the beginning and end of a token, in characters.
struct TokenSpaces {
  uint8_t leading = 0, trailing = 0;
};
TokenSpaces spaces_of(std::string_view token);

// `is_first`: the first token of its text.
Span trimmed(Span offsets, TokenSpaces spaces, bool is_first, SpaceTrimming trimming);

}  // namespace mixtune
