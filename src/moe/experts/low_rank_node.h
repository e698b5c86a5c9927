// A linear with low-rank updates of ranges of its columns as one autograd node, optionally with
// DoRA's magnitudes. Legend: T tokens, D width of x, O columns, R sum of the ranks.
#pragma once

#include "tensor/packed_weight.h"
#include "tensor/random.h"

namespace mixtune {

// One update: the range of its output columns and of its rows in the matrix of all A.
struct LowRankSlice {
  int64_t column, columns, row, rank;
  double scaling;
};

struct LowRankPlan : torch::CustomClassHolder {
  std::vector<LowRankSlice> slices;
  DropoutMask mask;
  std::vector<Tensor> norms;             // [columns] of each slice, if there are magnitudes
  const PackedWeight* packed = nullptr;  // the packed copy of the base weight, if it may be used
};

// y = W x + scaling B A dropout(x) + bias for x [T, D]: [T, O]. down [R, D]: all A; up: a B
// [columns, rank] for each slice; bias: [O] or undefined. With `magnitudes` [columns] for each
// slice, y = m / norm (W x + scaling B A dropout(x)) + bias in its columns, where the norm is a
// constant of the graph.
Tensor low_rank_linear(const Tensor& x, const Tensor& weight, const Tensor& bias,
                       const Tensor& down, const std::vector<Tensor>& up,
                       const std::vector<Tensor>& magnitudes,
                       const c10::intrusive_ptr<LowRankPlan>& plan);

}  // namespace mixtune
