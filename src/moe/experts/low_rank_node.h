// A linear with low-rank updates of ranges of its columns as one autograd node; with magnitudes it
// is DoRA's. Legend: T tokens, D width of x, O columns, R sum of the ranks.
#pragma once

#include "tensor/packed_weight.h"
#include "tensor/random.h"

namespace mixtune {

// One update: where its columns and its rows of A stand.
struct LowRankSlice {
  int64_t column, columns, row, rank;
  double scaling;
};

struct LowRankPlan : torch::CustomClassHolder {
  std::vector<LowRankSlice> slices;
  DropoutMask mask;
  std::vector<Tensor> norms;             // [columns] of each slice, where there are magnitudes
  const PackedWeight* packed = nullptr;  // the base weight's copy, where the product may go there
};

// y = W x + scaling B A dropout(x) + bias for x [T, D]: [T, O]. down [R, D]: all A; up: a B
// [columns, rank] for each slice; bias: [O] or undefined. `magnitudes` [columns] for each slice, or
// none: y = m / norm (W x + scaling B A dropout(x)) + bias there, the norm a constant.
Tensor low_rank_linear(const Tensor& x, const Tensor& weight, const Tensor& bias,
                       const Tensor& down, const std::vector<Tensor>& up,
                       const std::vector<Tensor>& magnitudes,
                       const c10::intrusive_ptr<LowRankPlan>& plan);

}  // namespace mixtune
