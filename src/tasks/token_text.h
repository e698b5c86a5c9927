// Texts for language models to token ids: where a text begins and ends, which tokens are learnt,
// and what happens to one that is too long. Training, evaluation and prediction all come through
// here, so that a prompt has the same ids in each.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tasks/task.h"
#include "text/tokenizer.h"

namespace mixtune {

// What the tokenizer puts before a text: the begin-of-text token of LLaMA; nothing for GPT-2.
std::vector<int32_t> begin_tokens(const Tokenizer& tokenizer);

// The begin tokens, and the token that says that a text is over.
struct TextFrame {
  std::vector<int32_t> begin = {};
  int32_t end = -1;
};

// `end_token`: spelled as in the tokenizer; by default its end-of-text token. UserError, at the
// option `key`, where the tokenizer has no such token.
TextFrame text_frame(const Tokenizer& tokenizer, const std::optional<std::string>& end_token,
                     const std::string& key);

// What becomes of a text that is longer than task.max_length. An answer is never cut.
enum class TooLong { cut_prompt, drop, reject };
TooLong too_long(const std::string& name);
const std::vector<std::string>& too_long_names();

struct PartsOptions {
  int64_t max_length = 256;
  TooLong too_long = TooLong::cut_prompt;
  bool learns_all = false;  // every token but the first is supervised, not the completions alone
};

// The ids of the parts, one after the other: those of the whole text, where they begin with the ids
// of the parts so far; else the part's own, so that a prompt has the ids that it has alone. The
// begin tokens come first unless the text says them itself. Not shortened.
EncodedExample encode_parts(const Tokenizer& tokenizer, const std::vector<TextPart>& parts,
                            const TextFrame& frame, const PartsOptions& options);

// Cuts the prompt at its left (after the begin tokens) until the example fits; false, and nothing
// changed, where that would cut what is supervised.
bool cut_prompt(EncodedExample& example, const TextFrame& frame, int64_t max_length);

// Every example's parts. UserError, at the file and the example, for a text that is too long and
// must not be cut, or whose supervised parts have no tokens.
EncodedExamples encode_parts_set(const Tokenizer& tokenizer, const DataSet& set,
                                 const TextFrame& frame, const PartsOptions& options);

// Where to look for an example: "file:line" where the line is known, else "file example N".
std::string example_place(const DataSet& set, size_t index);

}  // namespace mixtune
