// Runs the layers that the sequences of a batch selected at one mixed layer.
#pragma once

#include "nn/layer_stack.h"

namespace mixtune {

// One mixed layer of a forward pass; `read` as in Call. Everything must outlive it.
struct MixedLayer {
  LayerStack& stack;
  int64_t position;
  const Tensor& z;  // [T, D]
  const SequenceLayout& rows;
  ForwardContext& context;
  const SelectedRows* read;

  const SequenceLayout& out_rows() const { return read ? read->rows : rows; }
};

// u_j(z) of every sequence s with layer j = choice[s]: [out, D]. Makes one call per selected layer.
// `own` [out, D], if defined, is used for the sequences that selected the mixed layer itself.
Tensor borrow(const MixedLayer& here, const std::vector<int64_t>& choice, const Tensor& own);

}  // namespace mixtune
