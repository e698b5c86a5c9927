// A weight laid out for products with few rows, whose time is that of reading the weight once: it
// is read from one end to the other, in bf16 where that holds the same values.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

class PackedWeight {
 public:
  // SequenceLayout up to which a product from here is the faster one.
  static constexpr int64_t kFewRows = 64;
  // Whether there is a layout for it: a float matrix on the CPU.
  static bool takes(const Tensor& weight);

  // Copies weight [N, K].
  explicit PackedWeight(const Tensor& weight);

  // x [T, K] float, on the CPU, its rows contiguous: x weight^T + bias, [T, N]; bias [N] or
  // undefined. Each row comes out the same whatever rows stand beside it. Not differentiated.
  Tensor multiply(const Tensor& x, const Tensor& bias) const;

  bool is_narrow() const { return panels_.scalar_type() == at::kBFloat16; }
  int64_t bytes() const { return static_cast<int64_t>(panels_.nbytes()); }

 private:
  // [N / 32 rounded up, K, 32]: outputs 32 p to 32 p + 31, for one column of the weight after the
  // other. In bf16 two outputs that are 16 apart stand side by side.
  Tensor panels_;
  int64_t outputs_;
};

}  // namespace mixtune
