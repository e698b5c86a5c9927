// The task's loss, as a sum over sequences. A step divides by the sequences of all its
// micro-batches, so that accumulation equals the large batch exactly (a mean of means does not).
// Legend: S sequences, C classes.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

constexpr int64_t kIgnoredTarget = -100;

// Sum over sequences of (1 - smoothing) * -log p(target) + smoothing * mean over classes of -log p.
// logits [S, C]; targets [S] int64, of which those equal to kIgnoredTarget are ignored.
Tensor cross_entropy_sum(const Tensor& logits, const Tensor& targets, double smoothing = 0);

// Sum of (prediction - target)^2; both [S].
Tensor squared_error_sum(const Tensor& predictions, const Tensor& targets);

}  // namespace mixtune
