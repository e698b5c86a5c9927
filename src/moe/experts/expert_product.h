// The stacked-expert operator: the thin product of a linear group, and the wide one that adds to
// the base product, two autograd nodes that share the gradient of x. Legend: T tokens, D width of
// x, O columns, M members, E experts, r their mean rank: E r, written so, is the sum of the ranks.
#pragma once

#include <numeric>

#include "tensor/packed_weight.h"
#include "tensor/random.h"

namespace mixtune {

// SequenceLayout of a matrix, or columns: the first and how many.
struct Slice {
  int64_t begin, count;
};

struct ExpertPlan : torch::CustomClassHolder {
  std::vector<int64_t> ranks = {1};  // of each expert
  double scaling = 1;
  // Where ranks differ, [E, E r]: the scaling of an expert at its own columns and 0 elsewhere. What
  // spreads gates over columns, and sums columns by expert, are products with it.
  Tensor spread;
  Slice down, routers;                   // rows of `thin`
  std::vector<Slice> columns;            // of each member in the output
  DropoutMask mask;                      // of the group
  std::vector<DropoutMask> masks;        // by member and expert, in place of it
  const PackedWeight* packed = nullptr;  // the base weight's copy, where the product may go there

  // The gradient of x through the base product: the backward pass of the wide product leaves it
  // here for that of the thin one, which adds its own in place.
  Tensor dx;
  bool wants_dx = false;

  int64_t experts() const { return static_cast<int64_t>(ranks.size()); }
  int64_t width() const { return std::accumulate(ranks.begin(), ranks.end(), int64_t{0}); }
};

struct Shrunk {
  Tensor narrow;  // [T, M E r], of x's type
  // [T, M E], or [T, 0] where routers are no products: of the weights' type, without dropout.
  Tensor scores;
};

// x [T, D]; thin [rows, D].
Shrunk shrink_product(const Tensor& x, const Tensor& shrink,
                      const c10::intrusive_ptr<ExpertPlan>& plan);

// x W^T + bias, and to the columns of each member scaling * (gates * narrow) up. gates [T, M, E];
// up, of each member [E r, out]; to [T, O].
Tensor expand_product(const Tensor& x, const Tensor& narrow, const Tensor& gates,
                      const Tensor& weight, const std::optional<Tensor>& bias,
                      const std::vector<Tensor>& up, const c10::intrusive_ptr<ExpertPlan>& plan);

}  // namespace mixtune
