#include "nn/feed_forward.h"

namespace mixtune {

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names = {
      "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh"};
  return names;
}

Tensor activate(const Tensor& x, const std::string& activation) {
  if (activation == "gelu") return at::gelu(x);
  if (activation == "gelu_new" || activation == "gelu_pytorch_tanh") return at::gelu(x, "tanh");
  if (activation == "relu") return at::relu(x);
  if (activation == "silu" || activation == "swish") return at::silu(x);
  if (activation == "tanh") return at::tanh(x);
  throw BugError("unknown activation " + activation);
}

Tensor activate_gradient(const Tensor& x, const Tensor& dy, const std::string& activation) {
  if (activation == "gelu") return at::gelu_backward(dy, x);
  if (activation == "gelu_new" || activation == "gelu_pytorch_tanh")
    return at::gelu_backward(dy, x, "tanh");
  if (activation == "relu") return at::threshold_backward(dy, x, 0);
  if (activation == "silu" || activation == "swish") return at::silu_backward(dy, x);
  if (activation == "tanh") return at::tanh_backward(dy, at::tanh(x));
  throw BugError("unknown activation " + activation);
}

FeedForward::FeedForward(LinearGroup up, LinearGroup down, std::string activation)
    : up(std::move(up)), down(std::move(down)), activation_(std::move(activation)) {}

Tensor FeedForward::base(const Tensor& x, const Call& call) const {
  return down.forward(activated(up.forward(x, call)), call);  // [T, D]
}

Tensor FeedForward::activated(const Tensor& y) const {
  if (!is_gated()) return activate(y, activation_);
  if (activation_ == "silu" || activation_ == "swish") return swiglu(y);
  const int64_t width = y.size(1) / 2;
  return activate(y.narrow(1, 0, width), activation_) * y.narrow(1, width, width);
}

Tensor FeedForward::activated_gradient(const Tensor& y, const Tensor& dh) const {
  if (!is_gated()) return activate_gradient(y, dh, activation_);
  if (activation_ == "silu" || activation_ == "swish") return swiglu_gradient(y, dh);
  const int64_t width = y.size(1) / 2;
  const Tensor gate = y.narrow(1, 0, width), up = y.narrow(1, width, width);
  return at::cat({activate_gradient(gate, dh * up, activation_), dh * activate(gate, activation_)},
                 1);
}

Tensor FeedForward::forward(const Tensor& x, const Call& call) {
  return adapter ? adapter->forward(*this, x, call) : base(x, call);
}

}  // namespace mixtune
