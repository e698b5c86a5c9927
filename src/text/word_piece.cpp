// WordPiece: repeatedly takes the longest piece in the vocabulary from the left. A word that cannot
// be split completely is unknown as a whole.
#include <algorithm>

#include "text/model.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

class WordPiece : public TokenizerModel {
 public:
  WordPiece(const JsonField& field, const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
    const std::string unknown = field.string_or("unk_token", "[UNK]");
    unknown_ = vocabulary.find(unknown);
    if (unknown_ < 0)
      field.fail("has the unk_token \"" + unknown + "\", which is not in its vocabulary");
    const std::string prefix = field.string_or("continuing_subword_prefix", "##");
    if (const auto most = field.find("max_input_chars_per_word"))
      longest_word_ = static_cast<size_t>(most->integer(0, INT32_MAX));

    int32_t count = 0;
    const auto each_continuation = [&](auto use) {
      for (int32_t id = 0; id < vocabulary.size(); ++id)
        if (vocabulary.has(id) && vocabulary.token(id).starts_with(prefix))
          use(vocabulary.token(id).substr(prefix.size()), id);
    };
    each_continuation([&](std::string_view, int32_t) { ++count; });
    continuations_ = StringTable(count);
    each_continuation([&](std::string_view rest, int32_t id) {
      continuations_.add(rest, id);
      longest_continuation_ = std::max(longest_continuation_, rest.size());
    });
    for (int32_t id = 0; id < vocabulary.size(); ++id)
      longest_token_ = std::max(longest_token_, vocabulary.token(id).size());
  }

  void cut(std::string_view word, std::vector<Piece>& pieces) const override {
    const auto size = static_cast<uint32_t>(word.size());
    const size_t before = pieces.size();
    bool known = size <= longest_word_ || count_code_points(word) <= longest_word_;
    for (uint32_t begin = 0; known && begin < size;) {
      const uint32_t most = begin == 0 ? longest_token_ : longest_continuation_;
      uint32_t end = size - begin > most ? begin + most : size;
      int32_t id = -1;
      for (; end > begin; --end) {
        if (end < size && is_continuation(word[end])) continue;
        const auto part = word.substr(begin, end - begin);
        id = begin == 0 ? vocabulary_.find(part) : continuations_.find(part);
        if (id >= 0) break;
      }
      known = id >= 0;
      pieces.push_back({id, begin, end});
      begin = end;
    }
    if (known) return;
    pieces.resize(before);
    pieces.push_back({unknown_, 0, size});
  }

  int32_t unknown() const override { return unknown_; }

 private:
  const Vocabulary& vocabulary_;
  StringTable continuations_;  // without their prefix
  int32_t unknown_ = -1;
  size_t longest_word_ = 100;  // in code points
  size_t longest_token_ = 0, longest_continuation_ = 0;
};

}  // namespace

std::unique_ptr<const TokenizerModel> read_word_piece(const JsonField& field,
                                                      const Vocabulary& vocabulary) {
  return std::make_unique<WordPiece>(field, vocabulary);
}

}  // namespace mixtune
