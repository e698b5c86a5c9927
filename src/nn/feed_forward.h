// The feed-forward part of a layer, with its adapter slot. Activations are selected by the names
// that config.json files use.
#pragma once

#include "nn/linear_group.h"

namespace mixtune {

class FeedForward;

class FeedForwardAdapter {
 public:
  virtual ~FeedForwardAdapter() = default;
  virtual Tensor forward(FeedForward& base, const Tensor& x, const Call& call) = 0;  // [T, D]
  virtual bool is_random() const = 0;
};

// down(activation(up(x))) or, where `up` is a group of gate and up, down(activation(gate(x)) *
// up(x)); without residual and norm. gelu is exact, gelu_new uses tanh.
class FeedForward {
 public:
  FeedForward(LinearGroup up, LinearGroup down, std::string activation);

  Tensor forward(const Tensor& x, const Call& call);  // [T, D] to [T, D]
  Tensor base(const Tensor& x, const Call& call) const;
  // The input of `down` from the output y of `up`: [T, F or 2 F] to [T, F].
  Tensor activated(const Tensor& y) const;
  // The gradient of y from y and the gradient dh of its activation [T, F].
  Tensor activated_gradient(const Tensor& y, const Tensor& dh) const;
  bool is_gated() const { return up.members().size() == 2; }

  LinearGroup up, down;
  std::shared_ptr<FeedForwardAdapter> adapter;  // the slot

 private:
  std::string activation_;
};

const std::vector<std::string>& activation_names();
Tensor activate(const Tensor& x, const std::string& activation);
Tensor activate_gradient(const Tensor& x, const Tensor& dy, const std::string& activation);

// silu(gate) * up for y = [gate, up] [T, 2 F]: [T, F]. One autograd node that saves only y.
Tensor swiglu(const Tensor& y);
Tensor swiglu_gradient(const Tensor& y, const Tensor& dh);

}  // namespace mixtune
