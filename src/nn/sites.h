// The interface between models and methods: the sites of a model by level, and its weights by name.
// Methods select linears by role and do not depend on a model; a model assigns roles to its linears
// and does not depend on a method.
#pragma once

#include "nn/feed_forward.h"
#include "nn/layer_stack.h"
#include "nn/linear_group.h"
#include "nn/norm.h"

namespace mixtune {

enum class WeightKind { matrix, bias, norm, embedding };
enum class WeightPart { backbone, pooler, head };

// A named weight as stored in files: some rows of a tensor that a module owns.
struct WeightSlot {
  std::string name;  // the Hugging Face parameter name
  Tensor* storage;
  int64_t begin, end;  // rows of dimension 0
  WeightKind kind;
  WeightPart part;
  bool transposed = false;  // files hold [in, out] (GPT-2)

  // This weight, in the file's layout, of the storage or of a tensor of its shape (a gradient).
  Tensor view_of(const Tensor& whole) const {
    const Tensor rows = whole.narrow(0, begin, end - begin);
    return transposed ? rows.t() : rows;
  }
  Tensor view() const { return view_of(*storage); }
};

struct Sites {
  std::vector<LinearGroup*> groups;  // those of the layers, in the order of a forward pass
  std::vector<FeedForward*> feed_forwards;
  std::vector<ResidualAdd*> outputs;
  LayerStack* stack = nullptr;
  std::vector<WeightSlot> weights;
  int64_t width = 0;
  double initializer_range = 0.02;  // standard deviation of new linear weights
};

}  // namespace mixtune
