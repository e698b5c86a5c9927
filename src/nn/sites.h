// What a model offers to methods: its sites by level, and its weights by name. Methods ask by role
// and never see a model; a model says which of its linears play which role and never sees a method.
#pragma once

#include "nn/feed_forward.h"
#include "nn/layer_stack.h"
#include "nn/linear_group.h"
#include "nn/norm.h"

namespace mixtune {

enum class WeightKind { matrix, bias, norm, embedding };
enum class WeightPart { backbone, pooler, head };

// A named weight as files know it: some rows of a tensor that a module owns.
struct WeightSlot {
  std::string name;  // the Hugging Face parameter name
  Tensor* storage;
  int64_t begin, end;  // rows of dimension 0
  WeightKind kind;
  WeightPart part;
  bool transposed = false;  // files hold [in, out] (GPT-2)

  // Of the storage, or of a tensor of its shape, such as its gradient: as files hold it.
  Tensor view_of(const Tensor& whole) const {
    const Tensor rows = whole.narrow(0, begin, end - begin);
    return transposed ? rows.t() : rows;
  }
  Tensor view() const { return view_of(*storage); }
};

struct Sites {
  std::vector<LinearGroup*> groups;  // those of the blocks, in the order of a forward pass
  std::vector<FeedForward*> feed_forwards;
  std::vector<ResidualAdd*> outputs;
  LayerStack* stack = nullptr;
  std::vector<WeightSlot> weights;
  int64_t width = 0;
  double initializer_range = 0.02;  // of new linear weights: N(0, this)
};

}  // namespace mixtune
