// BPE over characters, as trained by SentencePiece (LLaMA 2, Mistral, Gemma): a word starts as its
// characters; a character that is not in the vocabulary becomes its bytes <0x..> or the unknown
// token.
#include <algorithm>
#include <array>

#include "text/byte_pieces.h"
#include "text/pair_merger.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

class CharacterPairs : public TokenizerModel {
 public:
  CharacterPairs(const JsonField& field, const Vocabulary& vocabulary)
      : vocabulary_(vocabulary),
        merges_(field, vocabulary),
        unknown_(read_unknown_token(field, vocabulary)),
        fuses_unknown_(field.boolean_or("fuse_unk", false)),
        takes_whole_words_(field.boolean_or("ignore_merges", false)) {
    if (field.boolean_or("byte_fallback", false)) byte_ids_.emplace(vocabulary);
  }

  void cut(std::string_view word, std::vector<Piece>& pieces) const override {
    if (takes_whole_words_) {
      const int32_t id = vocabulary_.find(word);
      if (id >= 0) return pieces.push_back({id, 0, static_cast<uint32_t>(word.size())});
    }
    const size_t first = pieces.size();
    start(word, pieces);
    merges_.merge(pieces, first);
  }

  int32_t unknown() const override { return unknown_; }

 private:
  void start(std::string_view word, std::vector<Piece>& pieces) const;

  const Vocabulary& vocabulary_;
  PairMerger merges_;
  std::optional<BytePieces> byte_ids_;  // with byte_fallback
  int32_t unknown_;
  bool fuses_unknown_, takes_whole_words_;
};

// Two properties of the reference library are visible if a vocabulary lacks characters: an unknown
// token is appended only at the next known character, so that bytes may precede it; and a piece
// begins where the previous one ends, so that a character without a piece shifts those behind it.
void CharacterPairs::start(std::string_view word, std::vector<Piece>& pieces) const {
  uint32_t end = 0, unknown_size = 0;
  const auto add = [&](int32_t id, uint32_t size) {
    pieces.push_back({id, end, end + size});
    end += size;
  };
  const auto add_unknown = [&] {
    if (unknown_size > 0) add(unknown_, unknown_size);
    unknown_size = 0;
  };
  for (const char *at = word.data(), *last = at + word.size(); at < last;) {
    const char* const begin = at;
    next_code_point(at);
    const auto size = static_cast<uint32_t>(at - begin);
    const std::string_view character(begin, size);
    if (const int32_t id = vocabulary_.find(character); id >= 0) {
      add_unknown();
      add(id, size);
    } else if (byte_ids_ && byte_ids_->has_all(character)) {
      for (const char byte : character) add(byte_ids_->id(byte), 1);
    } else if (unknown_ >= 0) {
      if (!fuses_unknown_) add_unknown();
      unknown_size += size;
    }
  }
  add_unknown();
}

}  // namespace

std::unique_ptr<const TokenizerModel> read_character_pairs(const JsonField& field,
                                                           const Vocabulary& vocabulary) {
  return std::make_unique<CharacterPairs>(field, vocabulary);
}

}  // namespace mixtune
