// Noise that makes a router explore experts in training: on its input and on its scores. Random
// numbers are functions of example, token and step, like those of dropout, so they do not depend on
// packing. Legend: T tokens, D width, E experts.
#pragma once

#include "tensor/random.h"

namespace mixtune {

// x times random factors from U(1 - jitter, 1 + jitter), resampled for every element, token and
// step (Switch Transformer). `draw` has the key and the rows, as for dropout; its probability is
// not used.
Tensor jittered(const Tensor& x, double jitter, const DropoutMask& draw);

// scores [T, E] plus Gaussian noise of standard deviation `deviation`, resampled for every expert,
// token and step (the noisy gate of MoELoRA's code with a fixed deviation). `draw` as for
// `jittered`.
Tensor noisy(const Tensor& scores, double deviation, const DropoutMask& draw);

struct RouterNoise {
  double jitter = 0;     // the router's input is multiplied by U(1 - jitter, 1 + jitter)
  double deviation = 0;  // standard deviation of the noise added to its scores
  bool is_on() const { return jitter > 0 || deviation > 0; }
};

}  // namespace mixtune
