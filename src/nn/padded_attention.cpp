// Attention for devices on which a call costs more than the arithmetic of a short sequence: all
// sequences at once, padded to the longest inside this function only. It equals packed_attention,
// dropout included. Legend: Tq query rows, T key rows, S sequences, H heads, G key-value heads, d
// width of a head; Lq, L: rows of the longest sequence.
#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/attention.h"

namespace mixtune {
namespace {

// Maps the rows of ragged sequences to places in a padded tensor.
struct Padding {
  int64_t sequences, longest;
  Tensor rows;   // [S * longest] the row of each place; padding: the sequence's first row
  Tensor place;  // [T] the place of each row

  Padding(const std::vector<int64_t>& offsets, const at::Device& device)
      : sequences(static_cast<int64_t>(offsets.size()) - 1), longest(0) {
    for (int64_t s = 0; s < sequences; ++s)
      longest = std::max(longest, offsets[s + 1] - offsets[s]);
    std::vector<int64_t> row_of, place_of;
    for (int64_t s = 0; s < sequences; ++s) {
      const int64_t length = offsets[s + 1] - offsets[s];
      for (int64_t i = 0; i < longest; ++i) row_of.push_back(offsets[s] + (i < length ? i : 0));
      for (int64_t i = 0; i < length; ++i) place_of.push_back(s * longest + i);
    }
    rows = at::tensor(row_of, at::kLong).to(device);
    place = at::tensor(place_of, at::kLong).to(device);
  }

  // [T, heads * d] to [S, heads, longest, d].
  Tensor pad(const Tensor& x, int64_t heads, int64_t d) const {
    return x.index_select(0, rows).view({sequences, longest, heads, d}).transpose(1, 2);
  }
};

// 0 where a query may attend to a key, else -inf: [S, 1, Lq or 1, L].
Tensor hidden_keys(const Padding& queries, const Padding& keys, const std::vector<int64_t>& offsets,
                   const SequenceLayout& query_rows, const AttentionShape& shape,
                   const at::TensorOptions& options) {
  std::vector<int64_t> lengths;
  for (int64_t s = 0; s < keys.sequences; ++s) lengths.push_back(offsets[s + 1] - offsets[s]);
  const auto device = options.device();
  const Tensor key = at::arange(keys.longest, at::TensorOptions(at::kLong).device(device));
  const Tensor length = at::tensor(lengths, at::kLong).to(device).view({-1, 1, 1});
  Tensor seen = key < length;  // [S, 1, L]
  if (shape.causal) {
    const Tensor position = query_rows.token.index_select(0, queries.rows)
                                .view({queries.sequences, queries.longest, 1});  // [S, Lq, 1]
    seen = seen & (key <= position);
    if (shape.window > 0) seen = seen & (key > position - shape.window);
  }
  const Tensor none = at::zeros({}, options);
  return at::where(seen, none, none - std::numeric_limits<double>::infinity()).unsqueeze(1);
}

// The dropout factors of the probabilities, [S, H, Lq, L].
Tensor factors_of(const DropoutMask& mask, const Padding& queries, int64_t heads, int64_t keys) {
  DropoutMask padded = mask;
  padded.token = mask.token.index_select(0, queries.rows);
  padded.example = mask.example.index_select(0, queries.rows);
  std::vector<Tensor> of_heads;
  for (int64_t h = 0; h < heads; ++h) {
    padded.key = derive(mask.key, static_cast<uint64_t>(h));
    of_heads.push_back(mask_factors(padded, keys).view({queries.sequences, queries.longest, keys}));
  }
  return at::stack(of_heads, 1);
}

}  // namespace

Tensor padded_attention(const Tensor& query, const Tensor& key_value,
                        const SequenceLayout& query_rows, const SequenceLayout& rows,
                        const AttentionShape& shape, const DropoutMask& mask) {
  const int64_t h = shape.heads, d = shape.head_width, groups = shape.groups();
  const int64_t first = query.defined() ? 0 : shape.query_columns();
  const Padding keys(rows.offsets, key_value.device());
  const Padding queries = query.defined() ? Padding(query_rows.offsets, key_value.device()) : keys;
  const auto of_keys = [&](int64_t column) {  // [S, H, L, d]
    const Tensor x = keys.pad(key_value.narrow(1, column, groups * d), groups, d);
    return groups == h ? x : x.repeat_interleave(h / groups, 1);
  };
  const Tensor q = queries.pad(query.defined() ? query : key_value.narrow(1, 0, h * d), h, d);
  const Tensor k = of_keys(first), v = of_keys(first + shape.key_columns());
  Tensor scores = at::matmul(q, k.transpose(2, 3)) * shape.score_scale();  // [S, H, Lq, L]
  if (shape.cap > 0) scores = at::tanh(scores / shape.cap) * shape.cap;
  scores = scores + hidden_keys(queries, keys, rows.offsets, query_rows, shape, scores.options());
  Tensor p = at::softmax(scores, -1);
  if (mask.active()) p = p * factors_of(mask, queries, h, keys.longest).to(p.scalar_type());
  return at::matmul(p, v)
      .transpose(1, 2)
      .reshape({queries.sequences * queries.longest, h * d})
      .index_select(0, queries.place);  // [Tq, H * d]
}

}  // namespace mixtune
