// Byte-level BPE: a word begins as its bytes; the neighbours whose merge was learnt earliest merge,
// the leftmost first among equals, until no two neighbours merge.
#include <algorithm>
#include <array>
#include <queue>

#include "text/byte_level.h"
#include "text/merge_table.h"
#include "text/model.h"
#include "text/unicode.h"

namespace molt {
namespace {

class BytePairs : public Model {
 public:
  BytePairs(const JsonField& field, const Vocabulary& vocabulary);
  void cut(std::string_view word, std::vector<Piece>& pieces) const override;
  int32_t unknown() const override { return unknown_; }

 private:
  void read_merges(const JsonField& merges, const Vocabulary& vocabulary);
  void index_whole_words(const Vocabulary& vocabulary);
  void start(std::string_view word, std::vector<Piece>& pieces) const;
  void merge_by_search(std::vector<Piece>& pieces, size_t first) const;
  void merge_by_queue(std::vector<Piece>& pieces, size_t first) const;

  std::array<int32_t, 256> byte_ids_{};
  MergeTable merges_;
  int32_t unknown_ = -1;
  bool fuses_unknown_ = false;
  bool takes_whole_words_ = false;  // ignore_merges
  std::string letters_;             // the bytes of all tokens, for whole_words_
  StringTable whole_words_;
};

void refuse_if_set(const JsonField& field, const std::string& key) {
  const auto value = field.find(key);
  if (value && !value->string().empty())
    value->refuse("a BPE model with " + key, "null or an empty string");
}

BytePairs::BytePairs(const JsonField& field, const Vocabulary& vocabulary) {
  refuse_if_set(field, "continuing_subword_prefix");
  refuse_if_set(field, "end_of_word_suffix");
  if (field.boolean_or("byte_fallback", false))
    field.at("byte_fallback").refuse("a BPE model with byte_fallback", "false");
  if (const auto dropout = field.find("dropout"); dropout && dropout->number() != 0)
    dropout->refuse("a BPE model with dropout", "null or 0");
  fuses_unknown_ = field.boolean_or("fuse_unk", false);
  takes_whole_words_ = field.boolean_or("ignore_merges", false);
  if (const auto unknown = field.find("unk_token")) {
    unknown_ = vocabulary.find(unknown->string());
    if (unknown_ < 0)
      unknown->fail("is \"" + unknown->string() + "\", which is not in the vocabulary");
  }
  for (int byte = 0; byte < 256; ++byte) {
    std::string letter;
    append_utf8(byte_letter(static_cast<uint8_t>(byte)), letter);
    byte_ids_[byte] = vocabulary.find(letter);
  }
  read_merges(field.at("merges"), vocabulary);
  if (takes_whole_words_) index_whole_words(vocabulary);
}

// Each merge is ["a", "b"] or, in older files, "a b".
void BytePairs::read_merges(const JsonField& merges, const Vocabulary& vocabulary) {
  const Json& list = merges.list();
  merges_ = MergeTable(list.size());
  int32_t rank = 0;
  std::string left, right;
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].is_array() && list[i].size() == 2) {
      left = merges.at(i).at(0).string();
      right = merges.at(i).at(1).string();
    } else {
      const std::string line = merges.at(i).string();
      if (line.starts_with("#version")) continue;
      const size_t space = line.find(' ');
      if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos)
        merges.at(i).fail("is \"" + line + "\"; expected two tokens with a space between them");
      left = line.substr(0, space);
      right = line.substr(space + 1);
    }
    const int32_t ids[] = {vocabulary.find(left), vocabulary.find(right),
                           vocabulary.find(left + right)};
    if (std::min({ids[0], ids[1], ids[2]}) < 0)
      merges.at(i).fail("merges \"" + left + "\" and \"" + right + "\"; expected both and \"" +
                        left + right + "\" in the vocabulary");
    merges_.add(ids[0], ids[1], {rank++, ids[2]});
  }
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
    if (id < 0 && unknown_ < 0) continue;  // a byte that no token has, and nothing to say so
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
  constexpr size_t kShort = 48;  // below, looking through all pairs is quicker than a queue
  const size_t first = pieces.size();
  start(word, pieces);
  if (pieces.size() - first <= kShort)
    merge_by_search(pieces, first);
  else
    merge_by_queue(pieces, first);
}

void BytePairs::merge_by_search(std::vector<Piece>& pieces, size_t first) const {
  std::array<Merge, 64> next;  // [i]: the merge of piece i with its right neighbour
  Piece* piece = pieces.data() + first;
  size_t count = pieces.size() - first;
  for (size_t i = 0; i + 1 < count; ++i) next[i] = merges_.find(piece[i].id, piece[i + 1].id);
  while (count > 1) {
    size_t best = count;
    for (size_t i = 0; i + 1 < count; ++i)
      if (next[i].rank >= 0 && (best == count || next[i].rank < next[best].rank)) best = i;
    if (best == count) break;
    piece[best] = {next[best].id, piece[best].begin, piece[best + 1].end};
    for (size_t i = best + 1; i + 1 < count; ++i) {
      piece[i] = piece[i + 1];
      next[i] = next[i + 1];
    }
    --count;
    if (best > 0) next[best - 1] = merges_.find(piece[best - 1].id, piece[best].id);
    if (best + 1 < count) next[best] = merges_.find(piece[best].id, piece[best + 1].id);
  }
  pieces.resize(first + count);
}

void BytePairs::merge_by_queue(std::vector<Piece>& pieces, size_t first) const {
  struct Candidate {
    int32_t rank, left, id, left_id, right_id;
    bool operator<(const Candidate& other) const {  // the queue gives the largest first
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  const auto count = static_cast<int32_t>(pieces.size() - first);
  Piece* piece = pieces.data() + first;
  std::vector<int32_t> before(count), after(count);
  std::priority_queue<Candidate> queue;
  const auto consider = [&](int32_t left) {
    if (left < 0 || after[left] >= count) return;
    const Merge merge = merges_.find(piece[left].id, piece[after[left]].id);
    if (merge.rank >= 0)
      queue.push({merge.rank, left, merge.id, piece[left].id, piece[after[left]].id});
  };
  for (int32_t i = 0; i < count; ++i) before[i] = i - 1, after[i] = i + 1;
  for (int32_t i = 0; i < count; ++i) consider(i);
  constexpr int32_t kGone = -1;
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    const int32_t left = top.left;
    if (piece[left].id != top.left_id || after[left] >= count ||
        piece[after[left]].id != top.right_id)
      continue;  // one of the two has merged since
    const int32_t right = after[left];
    piece[left] = {top.id, piece[left].begin, piece[right].end};
    piece[right].id = kGone;
    after[left] = after[right];
    if (after[left] < count) before[after[left]] = left;
    consider(before[left]);
    consider(left);
  }
  const auto gone = [](const Piece& p) { return p.id == kGone; };
  pieces.erase(std::remove_if(pieces.begin() + first, pieces.end(), gone), pieces.end());
}

}  // namespace

std::unique_ptr<const Model> read_byte_pairs(const JsonField& field, const Vocabulary& vocabulary) {
  return std::make_unique<BytePairs>(field, vocabulary);
}

}  // namespace molt
