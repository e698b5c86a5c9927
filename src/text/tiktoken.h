// Vocabularies of tiktoken, the format in which LLaMA 3 was published: lines with the base64 of a
// token's bytes and its rank, which is its id. Two adjacent tokens merge if their concatenated
// bytes are a token, the lowest rank first. The file contains neither the pattern nor the special
// tokens; those of LLaMA 3 are used.
#pragma once

#include <string>

#include "base/json.h"

namespace mixtune {

// Converts the content to a tokenizer.json. `added`: its added_tokens; if empty, <|begin_of_text|>
// and <|end_of_text|> follow the vocabulary. Throws UserError if the content is malformed.
Json tiktoken_tokenizer(const std::string& content, const std::string& file, Json added);

}  // namespace mixtune
