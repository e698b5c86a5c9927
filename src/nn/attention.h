// Multi-head self-attention over packed sequences: each sequence attends to itself. One autograd
// node that keeps queries, keys, values and the row-wise log-sum-exp, and computes probabilities
// again in the backward pass, so that memory grows with T and not with the square of a length.
#pragma once

#include "nn/context.h"

namespace molt {

struct AttentionShape {
  int64_t heads;
  int64_t head_width;
};

// query [Tq, H * d] and key_value [T, 2 * H * d] (keys, then values), or with `query` undefined
// key_value is the fused [T, 3 * H * d] (queries, keys, values). query_rows: the rows of the
// queries; their sequences are those of `rows`. `mask` is of the attention probabilities. Returns
// [Tq, H * d].
Tensor packed_attention(const Tensor& query, const Tensor& key_value, const Rows& query_rows,
                        const Rows& rows, AttentionShape shape, const DropoutMask& mask);

}  // namespace molt
