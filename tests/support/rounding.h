// How far apart two computations of one thing may be. A claim that two ways are equal is tested in
// float64, where rounding stays far below `tight`: what remains above it is a mistake. Where the
// float32 kernels themselves are compared, the bound follows from what is summed, so that it holds
// on every processor, whatever its vectors and its threads make of the order of a sum.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/tensor.h"

namespace mixtune::test {

// The largest entry, at least one.
inline double size_of(const Tensor& x) {
  return x.numel() == 0 ? 1 : std::max(1.0, x.detach().abs().max().item().toDouble());
}

// Of float64.
inline double tight(const Tensor& expected) {
  return 1e-10 * size_of(expected);
}

// Of float32 sums of `terms` products about the size of the largest entry of `expected`, each after
// a handful of other operations.
inline double float_rounding(const Tensor& expected, int64_t terms) {
  return 8 * std::sqrt(static_cast<double>(terms)) * size_of(expected) *
         std::numeric_limits<float>::epsilon();
}

}  // namespace mixtune::test
