#include "text/train_bpe.h"

#include <algorithm>
#include <array>
#include <queue>

#include "base/error.h"
#include "text/byte_level.h"
#include "text/gpt2_pattern.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

using Pair = std::pair<int32_t, int32_t>;

uint64_t key_of(Pair pair) {
  return static_cast<uint64_t>(pair.first) << 32 | static_cast<uint32_t>(pair.second);
}

// Counts of pairs are updated while words merge. A queued pair is stored with the words it was seen
// in; its count in the queue may be outdated, which is checked when it is popped.
class Trainer {
 public:
  Trainer(const WordCounts& words, const BpeTraining& training);
  TrainedBpe train();

 private:
  struct Word {
    std::vector<int32_t> symbols;
    int64_t count;
  };
  struct PairState {
    int64_t count = 0;
    std::vector<uint32_t> new_words;  // distinct words since the pair was last queued
  };
  struct Waiting {
    uint64_t count;
    Pair pair;
    size_t words;                                 // index in waiting_words_
    bool operator<(const Waiting& other) const {  // the queue returns the largest first
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  void add_alphabet();
  void add_words(const WordCounts& words);
  int32_t add_token(const std::string& token);
  void count(Pair pair, int64_t change, uint32_t word);
  void queue_new_words();
  void merge(uint32_t word, Pair pair, int32_t merged);

  const BpeTraining& training_;
  std::array<int32_t, 256> byte_ids_{};
  std::vector<Word> words_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, int32_t> ids_;
  std::unordered_map<uint64_t, PairState> pairs_;
  std::vector<Pair> changed_;  // pairs with new_words
  std::priority_queue<Waiting> queue_;
  std::vector<std::vector<uint32_t>> waiting_words_;
};

Trainer::Trainer(const WordCounts& words, const BpeTraining& training) : training_(training) {
  for (const std::string& token : training.special_tokens) {
    if (token.empty() || !is_valid_utf8(token))
      throw UserError("special token '" + to_valid_utf8(token) + "'",
                      "is empty or not UTF-8; expected a string", "Give it another name.");
    add_token(token);
  }
  add_alphabet();
  if (training.vocab_size < static_cast<int64_t>(tokens_.size()))
    throw UserError("vocab_size",
                    "is " + std::to_string(training.vocab_size) + "; expected at least " +
                        std::to_string(tokens_.size()) + ", the bytes and the special tokens",
                    "Raise vocab_size.");
  add_words(words);
}

// Adds the alphabet in the order of the letters, not of the bytes.
void Trainer::add_alphabet() {
  std::array<int, 256> bytes;
  for (int i = 0; i < 256; ++i) bytes[i] = i;
  const auto letter = [](int byte) { return byte_letter(static_cast<uint8_t>(byte)); };
  std::sort(bytes.begin(), bytes.end(), [&](int a, int b) { return letter(a) < letter(b); });
  for (const int byte : bytes) {
    std::string spelt;
    append_utf8(letter(byte), spelt);
    byte_ids_[byte] = add_token(spelt);
  }
}

void Trainer::add_words(const WordCounts& words) {
  words_.reserve(words.counts().size());
  for (const auto& [text, count] : words.counts()) {
    Word word{{}, count};
    for (const char byte : text) word.symbols.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
    words_.push_back(std::move(word));
  }
  for (uint32_t i = 0; i < words_.size(); ++i)
    for (size_t at = 0; at + 1 < words_[i].symbols.size(); ++at)
      count({words_[i].symbols[at], words_[i].symbols[at + 1]}, 1, i);
  queue_new_words();
}

// Two merges may result in the same token, which keeps its id.
int32_t Trainer::add_token(const std::string& token) {
  const auto [place, is_new] = ids_.try_emplace(token, static_cast<int32_t>(tokens_.size()));
  if (is_new) tokens_.push_back(token);
  return place->second;
}

void Trainer::count(Pair pair, int64_t change, uint32_t word) {
  PairState& state = pairs_[key_of(pair)];
  state.count += change * words_[word].count;
  if (change < 0) return;
  if (state.new_words.empty()) changed_.push_back(pair);
  if (state.new_words.empty() || state.new_words.back() != word) state.new_words.push_back(word);
}

void Trainer::queue_new_words() {
  for (const Pair& pair : changed_) {
    PairState& state = pairs_[key_of(pair)];
    if (state.count > 0) {
      queue_.push({static_cast<uint64_t>(state.count), pair, waiting_words_.size()});
      waiting_words_.push_back(std::move(state.new_words));
    }
    state.new_words.clear();
  }
  changed_.clear();
}

// Merges from the left; counts of pairs removed next to a merge are decreased, counts of new pairs
// increased.
void Trainer::merge(uint32_t index, Pair pair, int32_t merged) {
  std::vector<int32_t>& symbols = words_[index].symbols;
  size_t size = 0;  // symbols written; everything before `at` has been read
  for (size_t at = 0; at < symbols.size(); ++at) {
    if (at + 1 == symbols.size() || symbols[at] != pair.first || symbols[at + 1] != pair.second) {
      symbols[size++] = symbols[at];
      continue;
    }
    if (size > 0) {
      const int32_t left = symbols[size - 1];
      count({left, pair.first}, -1, index);
      count({left, merged}, 1, index);
    }
    ++at;
    if (at + 1 < symbols.size()) {
      const int32_t right = symbols[at + 1];
      count({pair.second, right}, -1, index);
      count({merged, right}, 1, index);
    }
    symbols[size++] = merged;
  }
  symbols.resize(size);
}

TrainedBpe Trainer::train() {
  std::vector<Pair> merges;
  while (static_cast<int64_t>(tokens_.size()) < training_.vocab_size && !queue_.empty()) {
    Waiting top = queue_.top();
    queue_.pop();
    const auto count = static_cast<uint64_t>(pairs_[key_of(top.pair)].count);
    if (count != top.count) {
      top.count = count;
      queue_.push(top);
      continue;
    }
    if (count < 1 || count < static_cast<uint64_t>(training_.min_frequency)) break;
    const int32_t merged = add_token(tokens_[top.pair.first] + tokens_[top.pair.second]);
    merges.push_back(top.pair);
    const std::vector<uint32_t> words = std::move(waiting_words_[top.words]);
    for (const uint32_t word : words) merge(word, top.pair, merged);
    queue_new_words();
  }
  // A pair that was merged twice has the rank of the second merge.
  std::unordered_map<uint64_t, size_t> last;
  for (size_t i = 0; i < merges.size(); ++i) last[key_of(merges[i])] = i;
  TrainedBpe out{.tokens = std::move(tokens_), .merges = {}};
  for (size_t i = 0; i < merges.size(); ++i)
    if (last[key_of(merges[i])] == i) out.merges.push_back(merges[i]);
  return out;
}

}  // namespace

void WordCounts::add(std::string_view text, const std::string& where) {
  std::vector<Span> words;
  size_t number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    const std::string_view line = text.substr(begin, end - begin);
    begin = end;
    if (!is_valid_utf8(line))
      throw UserError(where + ':' + std::to_string(number), "is not UTF-8",
                      "Convert the file, or remove the line.");
    words.clear();
    split_by_gpt2_pattern(line, {0, static_cast<uint32_t>(line.size())}, words);
    for (const Span& word : words) {
      const std::string_view letters = line.substr(word.begin, word.end - word.begin);
      auto place = counts_.find(letters);
      if (place == counts_.end()) place = counts_.emplace(letters, 0).first;
      ++place->second;
    }
  }
}

TrainedBpe train_bpe(const WordCounts& words, const BpeTraining& training) {
  return Trainer(words, training).train();
}

}  // namespace mixtune
