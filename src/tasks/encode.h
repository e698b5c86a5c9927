// Converts texts and pairs to token ids for a classification head. A data set is encoded without
// padding; a text that cannot be truncated is an error.
#pragma once

#include <cstdint>
#include <vector>

#include "tasks/task.h"
#include "text/tokenizer.h"

namespace mixtune {

struct EncodeOptions {
  // Includes special tokens; the caller lowers it to the model's maximum.
  int64_t max_length = 256;
  Truncation truncation = Truncation::kLongestFirst;
};

EncodeOptions encode_options(const TaskConfig& config);

// A single text is truncated at its end, whatever the truncation of pairs is. Throws UserError,
// with the file and the example, if the text cannot be truncated to max_length.
EncodedExample encode_example(const Tokenizer& tokenizer, const Example& example,
                              const EncodeOptions& options);
std::vector<EncodedExample> encode_set(const Tokenizer& tokenizer, const DataSet& set,
                                       const EncodeOptions& options);

// Statistics of the example lengths, for the preflight.
struct LengthSummary {
  int64_t examples = 0, tokens = 0, longest = 0, truncated = 0, supervised = 0;
};
LengthSummary summarize_lengths(const std::vector<EncodedExample>& examples);

}  // namespace mixtune
