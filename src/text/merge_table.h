// The merges of a BPE model: for a pair of adjacent tokens, the rank of the merge and the resulting
// token. A hash table with open addressing, because lookups dominate encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mixtune {

struct Merge {
  int32_t rank;  // lower ranks merge first; -1: the pair does not merge
  int32_t id;    // of the result
};

class MergeTable {
 public:
  explicit MergeTable(size_t capacity = 0) {
    size_t slots = 16;
    while (slots < capacity * 2) slots *= 2;
    slots_.resize(slots);
  }

  // A repeated pair gets the later rank, as in the reference library.
  void add(int32_t left, int32_t right, Merge merge) {
    Slot& slot = slots_[position(key(left, right))];
    slot = {key(left, right), merge};
  }

  Merge find(int32_t left, int32_t right) const { return slots_[position(key(left, right))].merge; }

 private:
  struct Slot {
    uint64_t key = UINT64_MAX;
    Merge merge{-1, -1};
  };

  static uint64_t key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t position(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    size_t at = (key * 0x9E3779B97F4A7C15u >> 32) & mask;
    while (slots_[at].key != key && slots_[at].key != UINT64_MAX) at = (at + 1) & mask;
    return at;
  }

  std::vector<Slot> slots_;
};

}  // namespace mixtune
