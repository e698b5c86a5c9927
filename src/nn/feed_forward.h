// The feed-forward part of a block, with its slot.
#pragma once

#include "nn/linear_group.h"

namespace molt {

class FeedForward;

class FeedForwardAdapter {
 public:
  virtual ~FeedForwardAdapter() = default;
  virtual Tensor forward(FeedForward& base, const Tensor& x, const Call& call) = 0;  // [T, D]
  virtual bool is_random() const = 0;
};

// down(activation(up(x))), without residual and norm. Activations: gelu (exact), gelu_new (tanh),
// relu, silu.
class FeedForward {
 public:
  FeedForward(LinearGroup up, LinearGroup down, std::string activation);

  Tensor forward(const Tensor& x, const Call& call);  // [T, D] to [T, D]
  Tensor base(const Tensor& x, const Call& call) const;

  LinearGroup up, down;
  std::shared_ptr<FeedForwardAdapter> adapter;  // the slot

 private:
  std::string activation_;
};

const std::vector<std::string>& activation_names();
Tensor activate(const Tensor& x, const std::string& activation);

}  // namespace molt
