// Texts and pairs to token ids, for a classification head.
#pragma once

#include <cstdint>
#include <vector>

#include "tasks/task.h"
#include "text/tokenizer.h"

namespace mixtune {

struct EncodeOptions {
  // Special tokens count; the caller lowers it to what the model can take.
  int64_t max_length = 256;
  Truncation truncation = Truncation::kLongestFirst;
};

EncodeOptions encode_options(const TaskConfig& config);

// A text alone is cut at its end, whatever the truncation of pairs is. UserError where the text
// cannot be cut to max_length, with the file and the example.
EncodedExample encode_example(const Tokenizer& tokenizer, const Example& example,
                              const EncodeOptions& options);
std::vector<EncodedExample> encode_set(const Tokenizer& tokenizer, const DataSet& set,
                                       const EncodeOptions& options);

// How long the examples are, for the preflight.
struct LengthSummary {
  int64_t examples = 0, tokens = 0, longest = 0, truncated = 0, supervised = 0;
};
LengthSummary summarize_lengths(const std::vector<EncodedExample>& examples);

}  // namespace mixtune
