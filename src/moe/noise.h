// What disturbs a router in training, so that it tries experts: noise on what it reads, and on its
// scores. Draws are functions of example, token and step, as those of a dropout, so that they do
// not depend on what is packed together. Legend: T tokens, D width, E experts.
#pragma once

#include "tensor/random.h"

namespace mixtune {

// x times factors drawn from U(1 - jitter, 1 + jitter), new ones for every element, token and step
// (Switch Transformer). `draw` says for which rows, as for a dropout; its probability is not read.
Tensor jittered(const Tensor& x, double jitter, const DropoutMask& draw);

// scores [T, E] plus draws from N(0, deviation), new ones for every expert, token and step (the
// noisy gate of MoELoRA's code with a fixed deviation). `draw` as for `jittered`.
Tensor noisy(const Tensor& scores, double deviation, const DropoutMask& draw);

struct RouterNoise {
  double jitter = 0;     // a router reads x times U(1 - jitter, 1 + jitter)
  double deviation = 0;  // N(0, deviation) is added to its scores
  bool is_on() const { return jitter > 0 || deviation > 0; }
};

}  // namespace mixtune
