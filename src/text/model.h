// The `model` of tokenizer.json splits a word into pieces of the vocabulary. One subclass per model
// type; all are immutable after construction.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "text/json_field.h"
#include "text/vocabulary.h"

namespace mixtune {

struct Piece {
  int32_t id;
  uint32_t begin, end;  // bytes within the word
};

class TokenizerModel {
 public:
  virtual ~TokenizerModel() = default;
  // Appends the pieces of a non-empty word.
  virtual void cut(std::string_view word, std::vector<Piece>& pieces) const = 0;
  virtual int32_t unknown() const = 0;  // -1: none
};

// All keep a reference to the vocabulary.
std::unique_ptr<const TokenizerModel> read_word_piece(const JsonField& field,
                                                      const Vocabulary& vocabulary);
std::unique_ptr<const TokenizerModel> read_byte_pairs(const JsonField& field,
                                                      const Vocabulary& vocabulary);
std::unique_ptr<const TokenizerModel> read_character_pairs(const JsonField& field,
                                                           const Vocabulary& vocabulary);
std::unique_ptr<const TokenizerModel> read_unigram(const JsonField& field,
                                                   const Vocabulary& vocabulary);

}  // namespace mixtune
