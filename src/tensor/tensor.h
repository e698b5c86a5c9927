// The only libtorch include, and the project's precompiled header. It includes selected parts,
// since torch/torch.h costs over 20 seconds and 1 GB per file. Shape legends use T tokens, S
// sequences, D width, E experts, R rank.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace mixtune {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// "[3, 4]" for messages.
inline std::string shape_text(const Tensor& tensor) {
  std::string out = "[";
  for (const int64_t size : tensor.sizes()) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(size);
  }
  return out + "]";
}

}  // namespace mixtune
