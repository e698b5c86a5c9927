// Tokens that are extracted from a text before all other steps: special tokens and added words.
// Those that are not `normalized` are searched in the original text, the others in the normalized
// text.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/json_field.h"
#include "text/normalizer.h"
#include "text/vocabulary.h"

namespace mixtune {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  std::string shown;         // decoded text: the normalized content of a normalized token
  bool single_word = false;  // only if not next to a word character
  bool strips_left = false;  // includes the white space before it
  bool strips_right = false;
  bool normalized = false;
  bool special = false;
  bool is_hidden = false;  // omitted when decoding skips special tokens
};

// Finds the tokens of one of the two kinds: the leftmost match, and the longest one there.
class AddedTokenFinder {
 public:
  void add(const std::string& pattern, const AddedToken& token);
  bool empty() const { return tokens_.empty(); }

  struct Part {
    Span span;
    int32_t id;  // -1: text between tokens
  };
  // Splits a text into tokens and the non-empty text between them.
  std::vector<Part> parts(std::string_view text) const;

 private:
  struct Match {
    Span span;
    const AddedToken* token;
  };
  bool longest_at(std::string_view text, uint32_t begin, Match& match) const;

  std::vector<AddedToken> tokens_;
  std::array<bool, 256> may_begin_{};            // by first byte
  std::unordered_map<uint64_t, uint32_t> next_;  // trie: node << 8 | byte
  std::vector<int32_t> token_at_{-1};            // by node: index in tokens_
};

class AddedTokens {
 public:
  // `field`: the list in tokenizer.json; `vocabulary`: that of the model.
  AddedTokens(const std::optional<JsonField>& field, const Vocabulary& vocabulary,
              const Normalizer* normalizer);

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  const AddedToken* by_id(int32_t id) const;
  int32_t find(const std::string& content) const;  // -1: absent

  const AddedTokenFinder& in_original() const { return in_original_; }
  const AddedTokenFinder& in_normalized() const { return in_normalized_; }

 private:
  std::vector<AddedToken> tokens_;
  std::unordered_map<std::string, int32_t> ids_;
  std::unordered_map<int32_t, size_t> places_;
  AddedTokenFinder in_original_, in_normalized_;
};

}  // namespace mixtune
