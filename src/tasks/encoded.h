// An encoded example: token ids and the targets of the model. Examples are not padded; each has its
// own length.
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

  // For language models: the supervised tokens, as spans in ascending order that never include the
  // first token. They are given by position and not by token id: a padding id that is also the
  // end-of-text id would lose its loss.
  std::vector<TokenSpan> supervised = {};
  int64_t prompt = 0;                    // number of prompt tokens at the start
  std::vector<int32_t> candidates = {};  // token ids that compete as the next token
  double length = 1;                     // divisor of the log-probability for comparisons
  bool is_distractor = false;            // a wrong answer option

  int64_t example_group = -1;

  int64_t supervised_tokens() const {
    int64_t out = 0;
    for (const TokenSpan& span : supervised) out += span.end - span.begin;
    return out;
  }
};

// The sequences of a data set. There may be more sequences than examples (one per answer option) or
// fewer (examples that were left out).
struct EncodedExamples {
  std::vector<EncodedExample> examples = {};
  std::vector<std::string> notes = {};  // what was truncated or left out, for the preflight
};

}  // namespace mixtune
