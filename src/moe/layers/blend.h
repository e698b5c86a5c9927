// The blend of the two outputs of a mixed layer: z' = a u_t(z) + o u_j(z). Legend: out rows of a
// layer's output, D width, U decisions, S sequences, L layers.
#pragma once

#include "moe/layers/vote.h"

namespace mixtune {

// Returns the borrowed output unchanged in value; with a gate gradient, it adds a gradient path
// from the task loss to the gate.
struct GatePull {
  GateGradient kind = GateGradient::none;
  int64_t position = 0;
  const std::vector<int64_t>& choice;  // one layer per sequence
  const GateScores& gate;
  const PooledTokens& pooled_tokens;
};
Tensor pulled(const Tensor& own, const Tensor& borrowed, const GatePull& pull,
              const SequenceLayout& out);

// own, borrowed: [out, D]. The two weights, [1] each, are logits, or used directly if the blend is
// raw; undefined unless they are learned.
Tensor blended(const Tensor& own, const Tensor& borrowed, const Blend& blend,
               const Tensor& own_weight, const Tensor& other_weight);

}  // namespace mixtune
