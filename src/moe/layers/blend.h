// What becomes of the two outputs of a mixed position: z' = a u_t(z) + o u_j(z). Legend: out rows
// of a block's output, D width.
#pragma once

#include "moe/layers/vote.h"

namespace mixtune {

// The value of the borrowed output stays as it is; with a gate gradient the task reaches the gate.
struct GatePull {
  GateGradient kind = GateGradient::none;
  int64_t position = 0;
  const std::vector<int64_t>& choice;  // one block for each sequence
  const GateScores& gate;
  const PooledTokens& pooled_tokens;
};
Tensor pulled(const Tensor& own, const Tensor& borrowed, const GatePull& pull,
              const SequenceLayout& out);

// own, borrowed: [out, D]. The two weights are logits or, where the blend says so, raw; [1] each,
// undefined unless they are learned.
Tensor blended(const Tensor& own, const Tensor& borrowed, const Blend& blend,
               const Tensor& own_weight, const Tensor& other_weight);

}  // namespace mixtune
