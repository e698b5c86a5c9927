// Noise on what a router reads. Legend: T tokens, D width.
#pragma once

#include "tensor/random.h"

namespace molt {

// x times factors drawn from U(1 - jitter, 1 + jitter), new ones for every element, token and step
// (Switch Transformer). `draw` says for which rows, as for a dropout; its probability is not read.
Tensor jittered(const Tensor& x, double jitter, const DropoutMask& draw);

}  // namespace molt
