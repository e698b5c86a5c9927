// An example as a model reads it: token ids and what is asked of them. Nothing is padded: each has
// its own length.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace mixtune {

struct TokenSpan {
  int64_t begin, end;
};

struct EncodedExample {
  std::vector<int32_t> ids = {}, type_ids = {};  // [tokens]
  int64_t id = 0;                                // of the example
  int64_t label = -1;
  double score = std::numeric_limits<double>::quiet_NaN();
  bool truncated = false;

  // Of language models. The tokens that the model must predict, by position and never by token id
  // (a padding id that is also the end of text would lose its loss): rising, none the first token.
  std::vector<TokenSpan> supervised = {};
  int64_t prompt = 0;                    // tokens at the start that are the prompt
  std::vector<int32_t> candidates = {};  // tokens of which one is chosen after the last token
  double length = 1;                     // what a log-probability is divided by to be compared
  bool is_distractor = false;            // an answer that is offered and wrong

  int64_t example_group = -1;

  int64_t supervised_tokens() const {
    int64_t out = 0;
    for (const TokenSpan& span : supervised) out += span.end - span.begin;
    return out;
  }
};

// The sequences of a data set. A set may have more of them than examples (one for each answer of a
// question) or fewer (texts that were left out).
struct EncodedExamples {
  std::vector<EncodedExample> examples = {};
  std::vector<std::string> notes = {};  // what was cut or left out: for the preflight
};

}  // namespace mixtune
