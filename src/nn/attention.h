// Multi-head self-attention over packed sequences: each sequence attends to itself. One autograd
// node saves queries, keys, values and the row-wise log-sum-exp, and recomputes the probabilities
// in the backward pass, so that memory grows with T and not with the square of a length.
#pragma once

#include <cmath>

#include "nn/context.h"

namespace mixtune {

struct AttentionShape {
  int64_t heads;
  int64_t head_width;
  int64_t key_value_heads = 0;  // grouped-query attention: a divisor of `heads`; 0: same as `heads`
  bool causal = false;          // a token attends to itself and to earlier tokens
  int64_t window = 0;           // causal: number of tokens attended to, itself included; 0: all
  double scale = 0;             // factor of the scores; 0: 1 / sqrt(head_width)
  double cap = 0;               // scores become cap * tanh(score / cap); 0: off

  int64_t groups() const { return key_value_heads ? key_value_heads : heads; }
  int64_t query_columns() const { return heads * head_width; }
  int64_t key_columns() const { return groups() * head_width; }
  double score_scale() const {
    return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(head_width));
  }
};

// query is [Tq, H * d] and key_value [T, 2 * G * d] (keys, then values; G key-value heads). If
// `query` is undefined, key_value is the fused [T, (H + 2 G) * d] (queries, keys, values).
// `query_rows` is the layout of the queries; it has the sequences of `rows`, where they are
// complete. `mask` applies to the attention probabilities. Returns [Tq, H * d].
Tensor packed_attention(const Tensor& query, const Tensor& key_value,
                        const SequenceLayout& query_rows, const SequenceLayout& rows,
                        AttentionShape shape, const DropoutMask& mask);

// The same on one padded tensor; packed_attention uses it on CUDA devices.
Tensor padded_attention(const Tensor& query, const Tensor& key_value,
                        const SequenceLayout& query_rows, const SequenceLayout& rows,
                        const AttentionShape& shape, const DropoutMask& mask);

}  // namespace mixtune
