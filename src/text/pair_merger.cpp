#include "text/pair_merger.h"

#include <algorithm>
#include <array>
#include <queue>

namespace mixtune {
namespace {

void reject_if_set(const JsonField& field, const std::string& key) {
  const auto value = field.find(key);
  if (value && !value->string().empty())
    value->reject("a BPE model with " + key, "null or an empty string");
}

}  // namespace

PairMerger::PairMerger(const JsonField& field, const Vocabulary& vocabulary) {
  reject_if_set(field, "continuing_subword_prefix");
  reject_if_set(field, "end_of_word_suffix");
  if (const auto dropout = field.find("dropout"); dropout && dropout->number() != 0)
    dropout->reject("a BPE model with dropout", "null or 0");
  read_merges(field.at("merges"), vocabulary);
}

// Each merge is ["a", "b"] or, in older files, "a b".
void PairMerger::read_merges(const JsonField& merges, const Vocabulary& vocabulary) {
  const Json& list = merges.list();
  table_ = MergeTable(list.size());
  int32_t rank = 0;
  std::string_view left, right;
  std::string whole;
  for (size_t i = 0; i < list.size(); ++i) {
    const Json& merge = list[i];
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get_ref<const std::string&>();
      right = merge[1].get_ref<const std::string&>();
    } else {
      if (!merge.is_string()) merges.at(i).fail("is not a merge; expected two tokens");
      const std::string_view line = merge.get_ref<const std::string&>();
      if (line.starts_with("#version")) continue;
      const size_t space = line.find(' ');
      if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
        merges.at(i).fail("is \"" + std::string(line) +
                          "\"; expected two tokens with a space between them");
      left = line.substr(0, space);
      right = line.substr(space + 1);
    }
    whole.assign(left).append(right);
    const int32_t ids[] = {vocabulary.find(left), vocabulary.find(right), vocabulary.find(whole)};
    if (std::min({ids[0], ids[1], ids[2]}) < 0)
      merges.at(i).fail("merges \"" + std::string(left) + "\" and \"" + std::string(right) +
                        "\"; expected both and \"" + whole + "\" in the vocabulary");
    table_.add(ids[0], ids[1], {rank++, ids[2]});
  }
}

void PairMerger::merge(std::vector<Piece>& pieces, size_t first) const {
  constexpr size_t kShort = 48;  // up to this length a linear search is faster than a queue
  if (pieces.size() - first <= kShort)
    merge_by_search(pieces, first);
  else
    merge_by_queue(pieces, first);
}

void PairMerger::merge_by_search(std::vector<Piece>& pieces, size_t first) const {
  std::array<Merge, 64> next;  // [i]: the merge of piece i with its right neighbour
  Piece* piece = pieces.data() + first;
  size_t count = pieces.size() - first;
  for (size_t i = 0; i + 1 < count; ++i) next[i] = table_.find(piece[i].id, piece[i + 1].id);
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
    if (best > 0) next[best - 1] = table_.find(piece[best - 1].id, piece[best].id);
    if (best + 1 < count) next[best] = table_.find(piece[best].id, piece[best + 1].id);
  }
  pieces.resize(first + count);
}

void PairMerger::merge_by_queue(std::vector<Piece>& pieces, size_t first) const {
  struct Candidate {
    int32_t rank, left, id, left_id, right_id;
    bool operator<(const Candidate& other) const {  // the queue returns the largest first
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  const auto count = static_cast<int32_t>(pieces.size() - first);
  Piece* piece = pieces.data() + first;
  std::vector<int32_t> before(count), after(count);
  std::priority_queue<Candidate> queue;
  const auto consider = [&](int32_t left) {
    if (left < 0 || after[left] >= count) return;
    const Merge merge = table_.find(piece[left].id, piece[after[left]].id);
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
      continue;  // one of the two has merged in the meantime
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

int32_t read_unknown_token(const JsonField& model, const Vocabulary& vocabulary) {
  const auto field = model.find("unk_token");
  if (!field) return -1;
  const int32_t id = vocabulary.find(field->string());
  if (id < 0) field->fail("is \"" + field->string() + "\", which is not in the vocabulary");
  return id;
}

}  // namespace mixtune
