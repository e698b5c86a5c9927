// The key-value cache of generation, with which a step runs its new tokens alone. It is kept by
// call path, not by layer, since a layer that MoLEx borrows at several positions has keys and
// values at each of them. Legend: T new tokens, Tq query rows, G key-value heads, d width of a
// head.
#pragma once

#include "nn/attention.h"

namespace mixtune {

// In a decoding context `SequenceLayout::example` is the index of the sequence, from 0.
class KeyValueCache {
 public:
  // `averages` is a compatibility mode (the authors' MoLEx code on GPT-2): a position that mixes
  // two layers keeps one cache, the weighted mean of both layers' keys and values, and routes again
  // at every step.
  explicit KeyValueCache(bool averages = false) : averages_(averages) {}
  bool averages() const { return averages_; }

  // Appends columns [columns.first, columns.second) of x, the keys and values of a call's rows.
  void append(const CallPath& path, const Tensor& x, std::pair<int64_t, int64_t> columns,
              const SequenceLayout& rows);
  // The keys and values of a sequence on a call path, [tokens, 2 G d]; undefined before the first.
  Tensor of(const CallPath& path, int64_t text) const;
  // Keeps the sequences at the given indices, in this order; an index may occur twice (beams).
  void keep(const std::vector<int64_t>& texts);

  // For `averages`: copies the cache of all sequences from one path to another.
  void copy(const CallPath& from, const CallPath& to);
  // For `averages`: the cache of each sequence s at `own` becomes a * own + o * others[s], or
  // (a + o) * own where others[s] has none. The caches at `others` are then deleted.
  void average(const CallPath& own, const std::vector<CallPath>& others, double a, double o);

 private:
  struct Text {
    Tensor buffer;  // [capacity, 2 G d]
    int64_t tokens = 0;
  };
  bool averages_;
  std::map<CallPath, std::vector<Text>> texts_;
};

// packed_attention within a call. With a decode state in the context, appends the new keys and
// values to the cache and attends to all of it. Arguments are those of packed_attention.
Tensor attend(const Tensor& query, const Tensor& key_value, const SequenceLayout& query_rows,
              const Call& call, const AttentionShape& shape, const DropoutMask& mask);

}  // namespace mixtune
