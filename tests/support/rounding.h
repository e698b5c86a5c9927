// The allowed differences between two computations of the same value. Equality of two methods is
// tested in float64, where rounding is far below `tight`, so a larger difference is an error. If
// float32 kernels are compared, the bound follows from the number of summed terms, so it holds on
// every processor, whatever its vector width and threads do to the order of a sum.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/tensor.h"

namespace mixtune::test {

// The largest absolute entry, at least one.
inline double size_of(const Tensor& x) {
  return x.numel() == 0 ? 1 : std::max(1.0, x.detach().abs().max().item().toDouble());
}

// The tolerance of float64.
inline double tight(const Tensor& expected) {
  return 1e-10 * size_of(expected);
}

// The tolerance of float32 sums of `terms` products about the size of the largest entry of
// `expected`, each after a few other operations.
inline double float_rounding(const Tensor& expected, int64_t terms) {
  return 8 * std::sqrt(static_cast<double>(terms)) * size_of(expected) *
         std::numeric_limits<float>::epsilon();
}

}  // namespace mixtune::test
