// Byte-level BPE: a word starts as its bytes; the adjacent pair with the lowest merge rank is
// merged, the leftmost first among equal ranks, until no pair can be merged.
#include <algorithm>
#include <array>

#include "text/byte_level.h"
#include "text/model.h"
#include "text/pair_merger.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

class BytePairs : public TokenizerModel {
 public:
  BytePairs(const JsonField& field, const Vocabulary& vocabulary);
  void cut(std::string_view word, std::vector<Piece>& pieces) const override;
  int32_t unknown() const override { return unknown_; }

 private:
  void index_whole_words(const Vocabulary& vocabulary);
  void start(std::string_view word, std::vector<Piece>& pieces) const;

  std::array<int32_t, 256> byte_ids_{};
  PairMerger merges_;
  int32_t unknown_ = -1;
  bool fuses_unknown_ = false;
  bool takes_whole_words_ = false;  // ignore_merges
  std::string letters_;             // the bytes of all tokens, which whole_words_ refers to
  StringTable whole_words_;
};

BytePairs::BytePairs(const JsonField& field, const Vocabulary& vocabulary)
    : merges_(field, vocabulary) {
  if (field.boolean_or("byte_fallback", false))
    field.at("byte_fallback").reject("a byte-level BPE model with byte_fallback", "false");
  fuses_unknown_ = field.boolean_or("fuse_unk", false);
  takes_whole_words_ = field.boolean_or("ignore_merges", false);
  unknown_ = read_unknown_token(field, vocabulary);
  for (int byte = 0; byte < 256; ++byte) {
    std::string letter;
    append_utf8(byte_letter(static_cast<uint8_t>(byte)), letter);
    byte_ids_[byte] = vocabulary.find(letter);
  }
  if (takes_whole_words_) index_whole_words(vocabulary);
}

void BytePairs::index_whole_words(const Vocabulary& vocabulary) {
  size_t size = 0;
  for (int32_t id = 0; id < vocabulary.size(); ++id) size += vocabulary.token(id).size();
  letters_.reserve(size);
  whole_words_ = StringTable(vocabulary.size());
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const auto bytes = bytes_of_letters(vocabulary.token(id));
    if (!vocabulary.has(id) || !bytes) continue;
    const size_t begin = letters_.size();
    letters_ += *bytes;
    whole_words_.add(std::string_view(letters_).substr(begin), id);
  }
}

void BytePairs::start(std::string_view word, std::vector<Piece>& pieces) const {
  const size_t first = pieces.size();
  for (uint32_t at = 0; at < word.size(); ++at) {
    const int32_t id = byte_ids_[static_cast<uint8_t>(word[at])];
    if (id < 0 && unknown_ < 0) continue;  // no token for this byte and no unknown token
    if (id < 0 && fuses_unknown_ && pieces.size() > first && pieces.back().id == unknown_ &&
        pieces.back().end == at)
      pieces.back().end = at + 1;
    else
      pieces.push_back({id < 0 ? unknown_ : id, at, at + 1});
  }
}

void BytePairs::cut(std::string_view word, std::vector<Piece>& pieces) const {
  if (takes_whole_words_) {
    const int32_t id = whole_words_.find(word);
    if (id >= 0) return pieces.push_back({id, 0, static_cast<uint32_t>(word.size())});
  }
  const size_t first = pieces.size();
  start(word, pieces);
  merges_.merge(pieces, first);
}

}  // namespace

std::unique_ptr<const TokenizerModel> read_byte_pairs(const JsonField& field,
                                                      const Vocabulary& vocabulary) {
  return std::make_unique<BytePairs>(field, vocabulary);
}

}  // namespace mixtune
