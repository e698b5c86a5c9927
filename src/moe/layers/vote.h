// Who decides which block a position borrows, and what they decide: one choice for each unit (a
// sequence, by all of its tokens or by those of its prompt; or the batch). Legend: T tokens, V
// tokens that vote, U units, L blocks, D width.
#pragma once

#include "moe/adapter_spec.h"

namespace mixtune {

// What a gate says of the voters; undefined for controls without one.
struct GateScores {
  Tensor scores, probabilities;  // [V, L]
};

// One block for each unit, on the host: the one synchronisation of a mixed position.
Decision decide(const RouterSpec& router, int64_t position, int64_t layers, const GateScores& gate,
                const PooledTokens& pooled_tokens, const ForwardContext& context);

}  // namespace mixtune
