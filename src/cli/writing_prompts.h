// The prompts of `molt generate`: from the command line or JSON lines to token ids.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace molt {

struct TypedPrompt {
  std::string text, place;  // place: "file:line", or the flag
  std::vector<int32_t> ids = {};
};

// UserError for a text that is empty or no UTF-8.
TypedPrompt typed_prompt(const std::string& text);
// Objects with "prompt". UserError at file:line for what is no JSON object, has no such text or an
// empty one.
std::vector<TypedPrompt> read_prompts(const std::filesystem::path& file);

struct PromptRoom {
  int64_t tokens;     // that a prompt may have
  bool cuts = false;  // a longer one loses tokens behind its begin tokens; false: UserError
};

// Fills `ids`, as training on texts does: the tokenizer's begin tokens, where it has any, and the
// text. Returns how many were cut.
int64_t encode_prompts(std::vector<TypedPrompt>& prompts, const Tokenizer& tokenizer,
                       const PromptRoom& room);

}  // namespace molt
