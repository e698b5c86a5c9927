// The `pre_tokenizer` of tokenizer.json splits a text into words, which the model then processes
// one by one. Supported: Sequence, BertPreTokenizer, ByteLevel, Metaspace, Split, Whitespace,
// WhitespaceSplit, Punctuation, Digits and CharDelimiterSplit.
#pragma once

#include <memory>
#include <vector>

#include "text/json_field.h"
#include "text/normalized_text.h"

namespace mixtune {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Splits each of `words` (byte spans of `text`) further; may insert text (a space before a word).
  virtual void apply(NormalizedText& text, std::vector<Span>& words) const = 0;
};

struct PreTokenizers {
  std::vector<std::unique_ptr<const PreTokenizer>> steps;  // in order
  bool byte_level = false;  // the last step is ByteLevel: the model works on bytes
};

PreTokenizers read_pre_tokenizers(const JsonField& field);
std::unique_ptr<const PreTokenizer> read_bert_pre_tokenizer();
std::unique_ptr<const PreTokenizer> read_byte_level_pre_tokenizer(const JsonField& field);
std::unique_ptr<const PreTokenizer> read_metaspace_pre_tokenizer(const JsonField& field);

}  // namespace mixtune
