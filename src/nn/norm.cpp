#include "nn/norm.h"

namespace mixtune {
namespace {

using torch::autograd::Function;

// LN(residual + mask * x) as one autograd node, which saves only the sum and recomputes the mask.
class DropoutAddNorm : public Function<DropoutAddNorm> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& residual,
                        const Tensor& weight, const Tensor& bias, double epsilon,
                        const DropoutMask& mask) {
    const Tensor sum = apply_mask_add(x, residual, mask);  // [T, D]
    auto [y, mean, rstd] = at::native_layer_norm(sum, {sum.size(1)}, weight, bias, epsilon);
    ctx->save_for_backward({sum, mean, rstd, weight, bias, mask.example, mask.token});
    ctx->saved_data["probability"] = mask.probability;
    ctx->saved_data["key"] = static_cast<int64_t>(mask.key);
    ctx->saved_data["step"] = static_cast<int64_t>(mask.step);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor& sum = saved[0];
    const bool needs_sum = ctx->needs_input_grad(0) || ctx->needs_input_grad(1);
    auto [d_sum, d_weight, d_bias] = at::native_layer_norm_backward(
        gradients[0].contiguous(), sum, {sum.size(1)}, saved[1], saved[2], saved[3], saved[4],
        {needs_sum, ctx->needs_input_grad(2), ctx->needs_input_grad(3)});
    Tensor d_x;
    if (ctx->needs_input_grad(0)) {
      const DropoutMask mask{ctx->saved_data["probability"].toDouble(),
                             static_cast<RandomKey>(ctx->saved_data["key"].toInt()),
                             static_cast<uint32_t>(ctx->saved_data["step"].toInt()), saved[5],
                             saved[6]};
      d_x = apply_mask(d_sum, mask);
    }
    return {d_x, d_sum, d_weight, d_bias, Tensor(), Tensor()};
  }
};

}  // namespace

LayerNorm::LayerNorm(std::string name, int64_t width, double epsilon,
                     const at::TensorOptions& options)
    : name(std::move(name)),
      weight(at::ones({width}, options)),
      bias(at::zeros({width}, options)),
      epsilon(epsilon) {}

Tensor LayerNorm::forward(const Tensor& x) const {
  return at::layer_norm(x, {x.size(1)}, weight, bias, epsilon);
}

DropoutMask ResidualAdd::mask(const Call& call) const {
  return call.context.mask(dropout_, site_, call.path, "sublayer", call.rows);
}

Tensor ResidualAdd::add(const Tensor& x, const Tensor& residual, const Call& call) const {
  const Tensor dropped = mixtune::dropout(x, mask(call));
  return residual + (adapter ? adapter->forward(dropped, call) : dropped);
}

ResidualNorm::ResidualNorm(LayerNorm norm, Sublayer sublayer, int64_t layer, double dropout)
    : ResidualAdd(norm.name.substr(0, norm.name.rfind('.')), norm.name, sublayer, layer, dropout),
      norm(std::move(norm)) {}

Tensor ResidualNorm::forward(const Tensor& x, const Tensor& residual, const Call& call) const {
  if (!adapter)
    return DropoutAddNorm::apply(x, residual, norm.weight, norm.bias, norm.epsilon, mask(call));
  const Tensor adapted = adapter->forward(mixtune::dropout(x, mask(call)), call);  // [T, D]
  return DropoutAddNorm::apply(adapted, residual, norm.weight, norm.bias, norm.epsilon,
                               DropoutMask{});
}

}  // namespace mixtune
