// Unigram: the segmentation of a word whose piece scores (log probabilities) have the largest sum,
// found by a left-to-right search. The score of an unknown character is the smallest score minus
// 10, and adjacent unknown characters form one token (Kudo 2018, as in the reference library).
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "text/byte_pieces.h"
#include "text/byte_trie.h"
#include "text/model.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

constexpr double kUnknownPenalty = 10;

class Unigram : public TokenizerModel {
 public:
  Unigram(const JsonField& field, const Vocabulary& vocabulary);
  void cut(std::string_view word, std::vector<Piece>& pieces) const override;
  int32_t unknown() const override { return unknown_; }

 private:
  std::vector<Piece> best_path(std::string_view word) const;

  const Vocabulary& vocabulary_;
  std::vector<double> scores_;  // by id
  ByteTrie trie_;
  std::optional<BytePieces> byte_ids_;  // with byte_fallback
  int32_t unknown_ = -1;
  double unknown_score_ = 0;
};

std::vector<double> read_scores(const JsonField& list) {
  std::vector<double> scores;
  for (size_t id = 0; id < list.size(); ++id) {
    const double score = list.at(id).at(1).number();
    if (!std::isfinite(score)) list.at(id).fail("has a score that is not finite");
    scores.push_back(score);
  }
  return scores;
}

std::vector<ByteTrie::Word> words_of(const Vocabulary& vocabulary) {
  std::vector<ByteTrie::Word> words;
  for (int32_t id = 0; id < vocabulary.size(); ++id)
    if (!vocabulary.token(id).empty()) words.push_back({vocabulary.token(id), id});
  return words;
}

Unigram::Unigram(const JsonField& field, const Vocabulary& vocabulary)
    : vocabulary_(vocabulary),
      scores_(read_scores(field.at("vocab"))),
      trie_(words_of(vocabulary)) {
  if (const auto unknown = field.find("unk_id"))
    unknown_ = static_cast<int32_t>(unknown->integer(0, vocabulary.size() - 1));
  unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - kUnknownPenalty;
  if (field.boolean_or("byte_fallback", false)) byte_ids_.emplace(vocabulary);
}

// The pieces from the last to the first. Among equal sums, the path found first is kept.
std::vector<Piece> Unigram::best_path(std::string_view word) const {
  struct End {  // the best path that ends at a byte offset
    double score = 0;
    uint32_t begin = UINT32_MAX;  // of its last piece
    int32_t id = -1;
  };
  std::vector<End> ends(word.size() + 1);
  const auto offer = [&](uint32_t begin, size_t end, double score, int32_t id) {
    const double sum = ends[begin].score + score;
    if (ends[end].begin == UINT32_MAX || sum > ends[end].score) ends[end] = {sum, begin, id};
  };
  for (const char *at = word.data(), *last = at + word.size(); at < last;) {
    const auto begin = static_cast<uint32_t>(at - word.data());
    next_code_point(at);
    const size_t character = at - word.data() - begin;
    bool is_known = false;
    trie_.prefixes(word.substr(begin), [&](size_t size, int32_t id) {
      offer(begin, begin + size, scores_[id], id);
      is_known = is_known || size == character;
    });
    if (is_known) continue;
    if (unknown_ < 0)
      throw UserError("text",
                      "contains \"" + std::string(word.substr(begin, character)) +
                          "\", for which the tokenizer has neither a token nor an unk_id",
                      "Use a tokenizer with an unknown token.");
    offer(begin, begin + character, unknown_score_, unknown_);
  }
  std::vector<Piece> path;
  for (auto end = static_cast<uint32_t>(word.size()); end > 0; end = ends[end].begin)
    path.push_back({ends[end].id, ends[end].begin, end});
  return path;
}

void Unigram::cut(std::string_view word, std::vector<Piece>& pieces) const {
  std::vector<Piece> path = best_path(word);
  for (; !path.empty(); path.pop_back()) {
    Piece piece = path.back();
    if (piece.id != unknown_) {
      pieces.push_back(piece);
      continue;
    }
    for (; path.size() > 1 && path[path.size() - 2].id == unknown_; path.pop_back())
      piece.end = path[path.size() - 2].end;
    const auto letters = word.substr(piece.begin, piece.end - piece.begin);
    const int32_t whole = vocabulary_.find(letters);
    if (whole < 0 && byte_ids_ && byte_ids_->has_all(letters)) {
      for (const char byte : letters)
        pieces.push_back({byte_ids_->id(byte), piece.begin, piece.end});
      continue;
    }
    pieces.push_back({whole < 0 ? unknown_ : whole, piece.begin, piece.end});
  }
}

}  // namespace

std::unique_ptr<const TokenizerModel> read_unigram(const JsonField& field,
                                                   const Vocabulary& vocabulary) {
  return std::make_unique<Unigram>(field, vocabulary);
}

}  // namespace mixtune
