// Root-mean-square normalization (Zhang and Sennrich 2019): x / sqrt(mean(x^2) + epsilon) * (offset
// + weight), over groups of `width` columns.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

struct RmsNorm {
  // `offset` is 1 for models whose files store weight - 1 (Gemma).
  RmsNorm(std::string name, int64_t width, double epsilon, double offset,
          const at::TensorOptions& options);
  // [T, G * width] to the same shape; normalizes each of the G groups separately (norms of heads).
  Tensor forward(const Tensor& x) const;

  std::string name;  // the Hugging Face module path
  Tensor weight;     // [width]
  double epsilon, offset;
};

}  // namespace mixtune
