// The stacked-expert operator: the shrink product of a linear group (all A), and the expand product
// (all B), which adds to the base product; two autograd nodes that share the gradient of x. Legend:
// T tokens, D width of x, O columns, M members, E experts, r their mean rank, so that E r is the
// sum of the ranks.
#pragma once

#include <numeric>

#include "tensor/packed_weight.h"
#include "tensor/random.h"

namespace mixtune {

// A range of rows or columns of a matrix: the first index and the number.
struct Slice {
  int64_t begin, count;
};

struct ExpertPlan : torch::CustomClassHolder {
  std::vector<int64_t> ranks = {1};  // of each expert
  double scaling = 1;
  // Set if ranks differ, [E, E r]: the scaling of an expert at its own columns and 0 elsewhere.
  // Products with it spread gates over columns and sum columns per expert.
  Tensor spread;
  Slice down, routers;                   // rows of `shrink`
  std::vector<Slice> columns;            // of each member in the output
  DropoutMask mask;                      // of the group
  std::vector<DropoutMask> masks;        // by member and expert, in place of `mask`
  const PackedWeight* packed = nullptr;  // the packed copy of the base weight, if it may be used

  // The gradient of x through the base product: the backward pass of the expand product stores it
  // here, and that of the shrink product adds its own gradient in place.
  Tensor dx;
  bool needs_dx = false;

  int64_t experts() const { return static_cast<int64_t>(ranks.size()); }
  int64_t width() const { return std::accumulate(ranks.begin(), ranks.end(), int64_t{0}); }
};

struct Shrunk {
  Tensor narrow;  // [T, M E r], of x's type
  // [T, M E], or [T, 0] if the gates are not products; of the weights' type, without dropout.
  Tensor scores;
};

// x [T, D] times shrink [rows, D]: all A, then the routers.
Shrunk shrink_product(const Tensor& x, const Tensor& shrink,
                      const c10::intrusive_ptr<ExpertPlan>& plan);

// x W^T + bias, plus scaling * (gates * narrow) up in the columns of each member: [T, O]. gates [T,
// M, E]; up: [E r, out] for each member.
Tensor expand_product(const Tensor& x, const Tensor& narrow, const Tensor& gates,
                      const Tensor& weight, const std::optional<Tensor>& bias,
                      const std::vector<Tensor>& up, const c10::intrusive_ptr<ExpertPlan>& plan);

}  // namespace mixtune
