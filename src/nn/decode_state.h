// Texts that grow token by token: the keys and values of what stands, so that a step runs its new
// tokens alone. Kept by call path, not by block: a block that MoLEx borrows at several positions
// has keys and values at each of them. Legend: T new tokens, Tq query rows, G key-value heads, d
// width of a head.
#pragma once

#include "nn/attention.h"

namespace mixtune {

// In a decoding context `SequenceLayout::example` is the number of the text, from 0.
class DecodeState {
 public:
  // `averages`, compatibility: a position that mixes two blocks keeps one cache, the weighted mean
  // of both blocks' keys and values, and votes at every step (the released MoLEx on GPT-2).
  explicit DecodeState(bool averages = false) : averages_(averages) {}
  bool averages() const { return averages_; }

  // Appends columns [columns.first, columns.second) of x, the keys and values of a call's rows.
  void append(const CallPath& path, const Tensor& x, std::pair<int64_t, int64_t> columns,
              const SequenceLayout& rows);
  // The keys and values of a text on a call path, [tokens, 2 G d]; undefined before the first.
  Tensor of(const CallPath& path, int64_t text) const;
  // From now on the texts are those of the given old numbers; one may come twice (beams).
  void keep(const std::vector<int64_t>& texts);

  // For `averages`. `to` begins with what stands at `from`, of every text.
  void copy(const CallPath& from, const CallPath& to);
  // Of each text s what stands at `own` becomes a times it plus o times that at others[s], and
  // what stands at the others is forgotten; a text without the other counts its own twice.
  void average(const CallPath& own, const std::vector<CallPath>& others, double a, double o);

 private:
  struct Text {
    Tensor buffer;  // [capacity, 2 G d]
    int64_t tokens = 0;
  };
  bool averages_;
  std::map<CallPath, std::vector<Text>> texts_;
};

// packed_attention within a call; with a decode state in its context, attention to all tokens that
// stand, these included. query and key_value as there; query_rows: those of the queries.
Tensor attend(const Tensor& query, const Tensor& key_value, const SequenceLayout& query_rows,
              const Call& call, const AttentionShape& shape, const DropoutMask& mask);

}  // namespace mixtune
