// Vocabularies of tiktoken, as LLaMA 3 was published: lines with the base64 of a token's bytes and
// its rank, which is its id. Two neighbours merge where their bytes together are a token, the
// lowest rank first. The file says neither the pattern nor the special tokens; they are LLaMA 3's.
#pragma once

#include <string>

#include "base/json.h"

namespace mixtune {

// As a tokenizer.json. `added`: its added_tokens; where empty, <|begin_of_text|> and
// <|end_of_text|> follow the vocabulary. UserError where the content is malformed.
Json tiktoken_tokenizer(const std::string& content, const std::string& file, Json added);

}  // namespace mixtune
