// Training of byte-level BPE (Sennrich 2016, on bytes as GPT-2 does): the most frequent pair of
// neighbours becomes a token, again and again. Merges and ids equal those of the tokenizers library
// (ByteLevelBPETokenizer) on the same files: of equally frequent pairs, the one with the smaller
// ids.
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
  int64_t min_frequency = 2;  // a pair that is rarer does not merge
  std::vector<std::string> special_tokens;
};

// The words of GPT-2's pattern and how often each occurs.
class WordCounts {
 public:
  // Cuts line by line; a line break belongs to its line. UserError, naming `where`, for text that
  // is not UTF-8.
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

// UserError where vocab_size does not hold the special tokens and all bytes.
TrainedBpe train_bpe(const WordCounts& words, const BpeTraining& training);

// The tokenizer.json that encodes with it.
std::string tokenizer_json(const TrainedBpe& trained, const BpeTraining& training);

}  // namespace mixtune
