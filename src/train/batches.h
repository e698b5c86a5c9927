// Assigns examples to steps. The order is a pure function of (key, epoch), so a resumed run needs
// only the epoch and the position in it. `batch_size` uses a plain shuffle, which wastes nothing
// since there is no padding. `batch_tokens` packs windows of the shuffled order into bins by
// decreasing length: the bins are nearly full, mix lengths and are shuffled.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tensor/random.h"

namespace mixtune {

struct BatchOptions {
  int64_t batch_size = 16;
  std::optional<int64_t> batch_tokens = {};  // replaces batch_size
  int64_t accumulate = 1;
};

using MicroBatch = std::vector<int64_t>;      // indices of examples
using StepBatches = std::vector<MicroBatch>;  // the micro-batches of one optimizer step

class BatchPlan {
 public:
  // `lengths` has the tokens of each example. UserError if one is longer than batch_tokens.
  BatchPlan(std::vector<int64_t> lengths, BatchOptions options, RandomKey key);

  // The steps of an epoch (from 0). Each example occurs once; the last step may be smaller.
  std::vector<StepBatches> epoch(int64_t number) const;
  int64_t steps_in(int64_t epoch) const;

 private:
  std::vector<MicroBatch> by_count(const std::vector<int64_t>& order) const;
  std::vector<MicroBatch> by_tokens(const std::vector<int64_t>& order, int64_t epoch) const;

  std::vector<int64_t> lengths_;
  BatchOptions options_;
  RandomKey key_;
};

// Consecutive batches of at most `budget` tokens in the given order; a longer example is a batch of
// its own.
std::vector<MicroBatch> cut_by_tokens(const std::vector<int64_t>& order,
                                      const std::vector<int64_t>& lengths, int64_t budget);

}  // namespace mixtune
