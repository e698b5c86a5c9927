// Converts texts for language models to token ids: where a text begins and ends, which tokens are
// supervised, and what happens to one that is too long. Training, evaluation and prediction all use
// this code, so that a prompt has the same ids in each.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tasks/task.h"
#include "text/tokenizer.h"

namespace mixtune {

// The tokens that the tokenizer puts before a text: the begin-of-text token of LLaMA; nothing for
// GPT-2.
std::vector<int32_t> begin_tokens(const Tokenizer& tokenizer);

// The begin tokens, and the token that ends a text.
struct TextFrame {
  std::vector<int32_t> begin = {};
  int32_t end = -1;
};

// `end_token`: spelled as in the tokenizer; by default its end-of-text token. Throws UserError, at
// the option `key`, if the tokenizer has no such token.
TextFrame text_frame(const Tokenizer& tokenizer, const std::optional<std::string>& end_token,
                     const std::string& key);

// What happens to a text longer than task.max_length. An answer is never truncated.
enum class TooLong { truncate_prompt, drop, reject };
TooLong too_long(const std::string& name);
const std::vector<std::string>& too_long_names();

struct PartsOptions {
  int64_t max_length = 256;
  TooLong too_long = TooLong::truncate_prompt;
  bool learns_all = false;  // every token but the first is supervised, not only the completions
};

// The ids of the parts, concatenated. A part has the ids that it has in the whole text if those
// begin with the ids of the previous parts, else the ids that it has alone, so that a prompt always
// has the same ids. The begin tokens come first unless the text contains them. Nothing is
// truncated.
EncodedExample encode_parts(const Tokenizer& tokenizer, const std::vector<TextPart>& parts,
                            const TextFrame& frame, const PartsOptions& options);

// Truncates the prompt on the left (after the begin tokens) until the example fits. Returns false
// and changes nothing if that would truncate the answer.
bool truncate_prompt(EncodedExample& example, const TextFrame& frame, int64_t max_length);

// Encodes the parts of every example. Throws UserError, at the file and the example, for a text
// that is too long and must not be truncated, or whose supervised parts have no tokens.
EncodedExamples encode_parts_set(const Tokenizer& tokenizer, const DataSet& set,
                                 const TextFrame& frame, const PartsOptions& options);

// Where to look for an example: "file:line" where the line is known, else "file example N".
std::string example_place(const DataSet& set, size_t index);

}  // namespace mixtune
