// A feed-forward whose experts are low-rank updates of its linears, as one autograd node: each
// token sums sum_e w_e expert_e(x) over its experts alone. Legend: T tokens, D width of x, F inner
// width, M linears that read x (2: gate and up; 1), E experts, r rank, P pairs of a token and an
// expert.
#pragma once

#include "nn/feed_forward.h"
#include "tensor/random.h"

namespace mixtune {

// The pairs in the order of experts, and of tokens in each: expert e has pairs offsets[e] to
// offsets[e + 1].
struct Pairs {
  Tensor tokens;                 // [P] int64
  std::vector<int64_t> offsets;  // [E + 1], on the host
  Tensor of(int64_t expert) const {
    return tokens.narrow(0, offsets[expert], offsets[expert + 1] - offsets[expert]);
  }
  int64_t experts() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

// From a mask [T, E] of zeros and ones. The host waits for it.
Pairs pairs_of(const Tensor& mask);

// Trained tensors of the experts.
struct FeedForwardExpertWeights {
  int64_t rank;
  double scaling;
  Tensor in_down;             // [M E r, D]: for each linear the A of its experts
  std::vector<Tensor> in_up;  // for each linear [E, F, r]
  Tensor out_down;            // [E r, F]
  Tensor out_up;              // [E, D, r]
};

struct FeedForwardPlan : torch::CustomClassHolder {
  const FeedForward* base = nullptr;  // its weights are constants
  Pairs pairs;
  int64_t rank = 0;
  double scaling = 0;
  DropoutMask mask, inner_mask;  // of x, and of what goes into `down`; by token
};

// x [T, D] and weights [T, E], zero where a token does not use an expert: [T, D].
Tensor feed_forward_experts(const Tensor& x, const Tensor& weights,
                            const FeedForwardExpertWeights& experts,
                            const c10::intrusive_ptr<FeedForwardPlan>& plan);

}  // namespace mixtune
