// Decides which layer a mixed layer borrows, with one choice per decision of the routing scope (a
// sequence, by all of its tokens or by those of its prompt, or the batch). Legend: T tokens, V
// pooled tokens, U decisions, L layers, D width.
#pragma once

#include "moe/adapter_spec.h"

namespace mixtune {

// The outputs of a gate for the pooled tokens; undefined for ablations without a gate.
struct GateScores {
  Tensor scores, probabilities;  // [V, L]
};

// One layer per decision, on the host: the only synchronization of a mixed layer.
Decision decide(const RouterSpec& router, int64_t position, int64_t layers, const GateScores& gate,
                const PooledTokens& pooled_tokens, const ForwardContext& context);

}  // namespace mixtune
