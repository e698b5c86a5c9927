// Training of byte-level BPE (Sennrich 2016, on bytes as in GPT-2): the most frequent adjacent pair
// becomes a token, repeatedly. Merges and ids equal those of the tokenizers library
// (ByteLevelBPETokenizer) on the same files: among equally frequent pairs, the one with the smaller
// ids is merged first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/string_table.h"

namespace mixtune {

struct BpeTraining {
  int64_t vocab_size = 30000;
  int64_t min_frequency = 2;  // rarer pairs are not merged
  std::vector<std::string> special_tokens;
};

// The words of GPT-2's pattern with their counts.
class WordCounts {
 public:
  // Splits line by line; a line break belongs to its line. Throws UserError, naming `where`, for
  // text that is not UTF-8.
  void add(std::string_view text, const std::string& where);
  const auto& counts() const { return counts_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return hash_of(text); }
  };
  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> counts_;
};

struct TrainedBpe {
  std::vector<std::string> tokens;  // by id, in the letters of the byte-level alphabet: special
                                    // tokens, the 256 bytes, merged ones in their order
  std::vector<std::pair<int32_t, int32_t>> merges;
};

// Throws UserError if vocab_size is too small for the special tokens and all bytes.
TrainedBpe train_bpe(const WordCounts& words, const BpeTraining& training);

// The tokenizer.json of a trained tokenizer.
std::string tokenizer_json(const TrainedBpe& trained, const BpeTraining& training);

}  // namespace mixtune
