// A weight in a layout for products with few rows, which are bound by memory bandwidth: the weight
// is read sequentially, in bf16 if that represents its values exactly.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

class PackedWeight {
 public:
  // Up to this number of rows this product is faster than libtorch's.
  static constexpr int64_t kFewRows = 64;
  // Whether the weight is supported: a float matrix on the CPU.
  static bool takes(const Tensor& weight);

  // Copies weight [N, K].
  explicit PackedWeight(const Tensor& weight);

  // x weight^T + bias, [T, N], for x [T, K] float on the CPU with contiguous rows and bias [N] or
  // undefined. The result of a row does not depend on the other rows. Not differentiable.
  Tensor multiply(const Tensor& x, const Tensor& bias) const;

  bool is_bfloat16() const { return panels_.scalar_type() == at::kBFloat16; }
  int64_t bytes() const { return static_cast<int64_t>(panels_.nbytes()); }

 private:
  // [N / 32 rounded up, K, 32]: panel p holds outputs 32 p to 32 p + 31, column by column of the
  // weight. In bf16 outputs n and n + 16 are adjacent.
  Tensor panels_;
  int64_t outputs_;
};

}  // namespace mixtune
