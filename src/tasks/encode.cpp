#include "tasks/encode.h"

#include <algorithm>
#include <string>

namespace mixtune {

EncodeOptions encode_options(const TaskConfig& config) {
  return {.max_length = config.max_length,
          .truncation = config.truncation == "only_second" ? Truncation::kOnlySecond
                                                           : Truncation::kLongestFirst};
}

EncodedExample encode_example(const Tokenizer& tokenizer, const Example& example,
                              const EncodeOptions& options) {
  Tokenizer::Options how;
  how.max_length = options.max_length;
  how.truncation = example.second ? options.truncation : Truncation::kLongestFirst;
  Encoding encoding = example.second ? tokenizer.encode(example.first, *example.second, how)
                                     : tokenizer.encode(example.first, how);
  return {.ids = std::move(encoding.ids),
          .type_ids = std::move(encoding.type_ids),
          .id = example.id,
          .label = example.label,
          .score = example.score,
          .truncated = encoding.truncated,
          .example_group = example.example_group};
}

std::vector<EncodedExample> encode_set(const Tokenizer& tokenizer, const DataSet& set,
                                       const EncodeOptions& options) {
  std::vector<EncodedExample> out;
  out.reserve(set.examples.size());
  for (const Example& example : set.examples) {
    try {
      out.push_back(encode_example(tokenizer, example, options));
    } catch (const UserError& error) {
      throw UserError(set.source + " example " + std::to_string(example.id), error.found(),
                      error.todo());
    }
  }
  return out;
}

LengthSummary summarize_lengths(const std::vector<EncodedExample>& examples) {
  LengthSummary out{.examples = static_cast<int64_t>(examples.size())};
  for (const EncodedExample& example : examples) {
    const auto length = static_cast<int64_t>(example.ids.size());
    out.tokens += length;
    out.longest = std::max(out.longest, length);
    out.truncated += example.truncated;
    out.supervised += example.supervised_tokens();
  }
  return out;
}

}  // namespace mixtune
