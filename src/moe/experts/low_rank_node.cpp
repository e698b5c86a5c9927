#include "moe/experts/low_rank_node.h"

namespace mixtune {
namespace {

class LowRankLinear : public torch::autograd::Function<LowRankLinear> {
 public:
  // parts: the B of each slice, then the magnitudes.
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight,
                        const std::optional<Tensor>& bias, const Tensor& down, at::TensorList parts,
                        const c10::intrusive_ptr<LowRankPlan>& plan) {
    const bool scales = !plan->norms.empty();
    const std::optional<Tensor> added = scales ? std::nullopt : bias;
    Tensor y = plan->packed ? plan->packed->multiply(x, added.value_or(Tensor()))
                            : at::linear(x, weight, added);             // [T, O]
    const Tensor shrink = at::mm(apply_mask(x, plan->mask), down.t());  // [T, R]
    for (size_t i = 0; i < plan->slices.size(); ++i) {
      const LowRankSlice& s = plan->slices[i];
      y.narrow(1, s.column, s.columns)
          .addmm_(shrink.narrow(1, s.row, s.rank), parts[i].t(), 1, s.scaling);
    }
    variable_list saved = {x, weight, down, shrink};
    saved.insert(saved.end(), parts.begin(), parts.end());
    if (scales) {
      const Tensor scale = scale_of(*plan, parts, y);  // [O]
      saved.insert(saved.end(), {scale, y});
      y = y * scale;
      if (bias) y.add_(*bias);
    }
    ctx->save_for_backward(std::move(saved));
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    ctx->saved_data["biased"] = bias.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &down = saved[2], &shrink = saved[3];
    const auto capsule = ctx->saved_data["plan"].toCapsule();
    const LowRankPlan& plan = static_cast<const LowRankPlan&>(*capsule);
    const size_t count = plan.slices.size();
    Tensor dy = gradients[0].contiguous();  // [T, O]
    variable_list out(4), d_up, d_magnitudes;
    if (ctx->saved_data["biased"].toBool() && ctx->needs_input_grad(2)) out[2] = dy.sum(0);
    if (!plan.norms.empty()) {
      const Tensor &scale = saved[4 + 2 * count], &unscaled = saved[5 + 2 * count];
      for (size_t i = 0; i < count; ++i) {
        const LowRankSlice& s = plan.slices[i];
        d_magnitudes.push_back(
            (dy.narrow(1, s.column, s.columns) * unscaled.narrow(1, s.column, s.columns)).sum(0) /
            plan.norms[i]);
      }
      dy = dy * scale;
    }
    const Tensor d_shrink = at::empty_like(shrink);  // [T, R]
    for (size_t i = 0; i < count; ++i) {
      const LowRankSlice& s = plan.slices[i];
      const Tensor d_part = dy.narrow(1, s.column, s.columns);
      d_shrink.narrow(1, s.row, s.rank).addmm_(d_part, saved[4 + i], 0, s.scaling);
      d_up.push_back(at::mm(d_part.t(), shrink.narrow(1, s.row, s.rank)) * s.scaling);
    }
    if (ctx->needs_input_grad(0)) {
      out[0] = at::mm(dy, weight);  // [T, D]
      if (plan.mask.active())
        out[0] = apply_mask_add(at::mm(d_shrink, down), out[0], plan.mask);
      else
        out[0].addmm_(d_shrink, down);
    }
    if (ctx->needs_input_grad(1)) out[1] = at::mm(dy.t(), x);
    out[3] = at::mm(d_shrink.t(), apply_mask(x, plan.mask));  // [R, D]
    out.insert(out.end(), d_up.begin(), d_up.end());
    out.insert(out.end(), d_magnitudes.begin(), d_magnitudes.end());
    out.emplace_back();  // the plan
    return out;
  }

 private:
  // The factor of each column: m / norm, or one for columns without an update.
  static Tensor scale_of(const LowRankPlan& plan, at::TensorList parts, const Tensor& y) {
    Tensor out = at::ones({y.size(1)}, y.options());
    for (size_t i = 0; i < plan.slices.size(); ++i)
      out.narrow(0, plan.slices[i].column, plan.slices[i].columns)
          .copy_(parts[plan.slices.size() + i] / plan.norms[i]);
    return out;
  }
};

}  // namespace

Tensor low_rank_linear(const Tensor& x, const Tensor& weight, const Tensor& bias,
                       const Tensor& down, const std::vector<Tensor>& up,
                       const std::vector<Tensor>& magnitudes,
                       const c10::intrusive_ptr<LowRankPlan>& plan) {
  MIXTUNE_CHECK(up.size() == plan->slices.size() && magnitudes.size() == plan->norms.size(),
                std::to_string(up.size()) + " updates");
  std::vector<Tensor> parts = up;
  parts.insert(parts.end(), magnitudes.begin(), magnitudes.end());
  return LowRankLinear::apply(x, weight,
                              bias.defined() ? std::optional<Tensor>(bias) : std::nullopt, down,
                              at::TensorList(parts), plan);
}

}  // namespace mixtune
