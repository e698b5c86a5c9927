// Feed-forward experts that differ by low-rank updates of the linears, as one autograd node: for
// each token, sum_e w_e expert_e(x) over its selected experts. Legend: T tokens, D width of x, F
// inner width, M linears that read x (2 with gate and up, otherwise 1), E experts, r rank, P pairs
// of a token and an expert, Pe pairs of expert e.
#pragma once

#include "nn/feed_forward.h"
#include "tensor/random.h"

namespace mixtune {

// The pairs, sorted by expert and then by token: expert e has pairs offsets[e] to offsets[e + 1].
struct Pairs {
  Tensor tokens;                 // [P] int64
  std::vector<int64_t> offsets;  // [E + 1], on the host
  Tensor of(int64_t expert) const {
    return tokens.narrow(0, offsets[expert], offsets[expert + 1] - offsets[expert]);
  }
  int64_t experts() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

// The pairs of a mask [T, E] of zeros and ones. Synchronizes with the device.
Pairs pairs_of(const Tensor& mask);

// The trained tensors of the experts.
struct FeedForwardExpertWeights {
  int64_t rank;
  double scaling;
  Tensor in_down;             // [M E r, D]: the A of all experts, linear by linear
  std::vector<Tensor> in_up;  // [E, F, r] per linear
  Tensor out_down;            // [E r, F]
  Tensor out_up;              // [E, D, r]
};

struct FeedForwardPlan : torch::CustomClassHolder {
  const FeedForward* base = nullptr;  // its weights are frozen
  Pairs pairs;
  int64_t rank = 0;
  double scaling = 0;
  DropoutMask mask, inner_mask;  // of x, and of the input of `down`; by token
};

// sum_e w_e expert_e(x) [T, D], from x [T, D] and weights [T, E], zero for experts that a token
// does not use.
Tensor feed_forward_experts(const Tensor& x, const Tensor& weights,
                            const FeedForwardExpertWeights& experts,
                            const c10::intrusive_ptr<FeedForwardPlan>& plan);

}  // namespace mixtune
