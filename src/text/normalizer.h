// The `normalizer` of tokenizer.json. Supported: Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip,
// StripAccents, Prepend, Replace, Precompiled and BertNormalizer.
#pragma once

#include <memory>

#include "text/json_field.h"
#include "text/normalized_text.h"

namespace mixtune {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(NormalizedText& text) const = 0;
};

std::unique_ptr<const Normalizer> read_normalizer(const JsonField& field);
std::unique_ptr<const Normalizer> read_bert_normalizer(const JsonField& field);
std::unique_ptr<const Normalizer> read_precompiled_normalizer(const JsonField& field);

}  // namespace mixtune
