// Running the blocks that the sequences of a batch chose at one position.
#pragma once

#include "nn/layer_stack.h"

namespace mixtune {

// One mixed position of a forward pass; `read` as in Call. Everything must outlive it.
struct MixedLayer {
  LayerStack& stack;
  int64_t position;
  const Tensor& z;  // [T, D]
  const SequenceLayout& rows;
  ForwardContext& context;
  const SelectedRows* read;

  const SequenceLayout& out_rows() const { return read ? read->rows : rows; }
};

// u_j(z) of every sequence under the block `choice[s]`: [out, D]. One call where all chose alike,
// else one for each block that was chosen. `own`, where defined, is taken for the sequences that
// chose the position's own block: [out, D].
Tensor borrow(const MixedLayer& here, const std::vector<int64_t>& choice, const Tensor& own);

}  // namespace mixtune
