#include "moe/experts/expert_product.h"

namespace mixtune {
namespace {

const ExpertPlan& plan_in(AutogradContext* ctx) {
  return static_cast<const ExpertPlan&>(*ctx->saved_data["plan"].toCapsule());
}

ExpertPlan& shared_plan(AutogradContext* ctx) {
  return const_cast<ExpertPlan&>(plan_in(ctx));
}

class ShrinkProduct : public torch::autograd::Function<ShrinkProduct> {
 public:
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& shrink,
                               const c10::intrusive_ptr<ExpertPlan>& plan) {
    ctx->save_for_backward({x, shrink});
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    const ExpertPlan& p = *plan;
    if (is_one_product(x, shrink, p)) {
      const Tensor both = at::mm(x, shrink.t());  // [T, M E r + M E]
      return {both.narrow(1, 0, p.down.count),
              both.narrow(1, p.down.count, p.routers.count).clone()};
    }
    const Tensor scores = at::mm(x.to(shrink.scalar_type()), rows(shrink, p.routers).t());
    const Tensor down = rows(shrink, p.down).to(x.scalar_type());
    if (p.masks.empty()) return {at::mm(apply_mask(x, p.mask), down.t()), scores};
    const Tensor narrow = at::empty({x.size(0), p.down.count}, x.options());
    for_experts(p, [&](const Slice& own, const DropoutMask& mask) {
      narrow.narrow(1, own.begin, own.count)
          .copy_(at::mm(apply_mask(x, mask), rows(down, own).t()));
    });
    return {narrow, scores};
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &shrink = saved[1];
    ExpertPlan& p = shared_plan(ctx);
    const Tensor d_narrow = filled(gradients[0], {x.size(0), p.down.count}, x);
    const Tensor d_scores = filled(gradients[1], {x.size(0), p.routers.count}, shrink);
    Tensor dx = std::move(p.dx);
    p.dx = Tensor();
    const bool needs_dx = ctx->needs_input_grad(0), needs_shrink = ctx->needs_input_grad(1);
    if (is_one_product(x, shrink, p)) {
      const Tensor both = at::cat({d_narrow, d_scores}, 1);  // [T, M E r + M E]
      if (needs_dx) dx = dx.defined() ? dx.addmm_(both, shrink) : at::mm(both, shrink);
      return {dx, needs_shrink ? at::mm(both.t(), x) : Tensor(), Tensor()};
    }
    const Tensor down = rows(shrink, p.down).to(x.scalar_type());
    if (needs_dx) {
      dx = through_down(dx, d_narrow, down, p);
      dx.add_(at::mm(d_scores, rows(shrink, p.routers)));
    }
    if (!needs_shrink) return {dx, Tensor(), Tensor()};
    const Tensor d_shrink = at::zeros_like(shrink);
    down_gradient(d_narrow, x, p, rows(d_shrink, p.down));
    rows(d_shrink, p.routers).copy_(at::mm(d_scores.t(), x.to(shrink.scalar_type())));
    return {dx, d_shrink, Tensor()};
  }

 private:
  static Tensor rows(const Tensor& shrink, const Slice& span) {
    return shrink.narrow(0, span.begin, span.count);
  }

  // Whether one product computes all rows: all of them use the same x, and all are needed.
  static bool is_one_product(const Tensor& x, const Tensor& shrink, const ExpertPlan& p) {
    return p.masks.empty() && !p.mask.active() && x.scalar_type() == shrink.scalar_type() &&
           p.down.count + p.routers.count == shrink.size(0);
  }

  static Tensor filled(const Tensor& gradient, at::IntArrayRef shape, const Tensor& like) {
    return gradient.defined() ? gradient : at::zeros(shape, like.options());
  }

  static Tensor through_down(const Tensor& base, const Tensor& d_narrow, const Tensor& down,
                             const ExpertPlan& p) {
    Tensor dx = base;
    const auto add = [&](const Tensor& part, const DropoutMask& mask) {
      dx = dx.defined() ? apply_mask_add(part, dx, mask) : apply_mask(part, mask);
    };
    if (p.masks.empty()) {
      if (!p.mask.active())
        return dx.defined() ? dx.addmm_(d_narrow, down) : at::mm(d_narrow, down);
      add(at::mm(d_narrow, down), p.mask);
      return dx;
    }
    for_experts(p, [&](const Slice& own, const DropoutMask& mask) {
      add(at::mm(d_narrow.narrow(1, own.begin, own.count), rows(down, own)), mask);
    });
    return dx;
  }

  static void down_gradient(const Tensor& d_narrow, const Tensor& x, const ExpertPlan& p,
                            const Tensor& out) {
    if (p.masks.empty()) {
      out.copy_(at::mm(d_narrow.t(), apply_mask(x, p.mask)));
      return;
    }
    for_experts(p, [&](const Slice& own, const DropoutMask& mask) {
      rows(out, own).copy_(
          at::mm(d_narrow.narrow(1, own.begin, own.count).t(), apply_mask(x, mask)));
    });
  }

  // Calls body(rows of the expert among all A, its dropout mask) for each expert.
  template <class Body>
  static void for_experts(const ExpertPlan& p, const Body& body) {
    Slice own{0, 0};
    for (size_t i = 0; i < p.masks.size(); ++i, own.begin += own.count) {
      own.count = p.ranks[i % p.ranks.size()];
      body(own, p.masks[i]);
    }
  }
};

// shrink [T, E r] times gates [T, E], each gate applied to the ranks of its expert.
Tensor gated(const Tensor& shrink, const Tensor& gates, const ExpertPlan& p) {
  if (p.spread.defined()) return shrink * at::mm(gates, p.spread.to(gates.scalar_type()));
  return (shrink.reshape({-1, p.experts(), p.ranks[0]}) * gates.unsqueeze(2)).view(shrink.sizes());
}

// [T, E r] summed over the ranks of each expert: [T, E].
Tensor by_expert(const Tensor& shrink, const ExpertPlan& p) {
  if (p.spread.defined()) return at::mm(shrink, p.spread.to(shrink.scalar_type()).t());
  return shrink.view({-1, p.experts(), p.ranks[0]}).sum(2);
}

class ExpandProduct : public torch::autograd::Function<ExpandProduct> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& narrow, const Tensor& gates,
                        const Tensor& weight, const std::optional<Tensor>& bias, at::TensorList up,
                        const Tensor& x, const c10::intrusive_ptr<ExpertPlan>& plan) {
    const ExpertPlan& p = *plan;
    Tensor y = p.packed ? p.packed->multiply(x, bias.value_or(Tensor()))
                        : at::linear(x, weight, bias);  // [T, O]
    for (int64_t m = 0; m < static_cast<int64_t>(up.size()); ++m)
      of_member(y, p, m).addmm_(gated(shrink_of(narrow, p, m), gates.select(1, m), p),
                                up[m].to(x.scalar_type()), 1, p.scaling);
    variable_list saved = {narrow, gates, weight};
    // The gradient of a trained weight needs the input; for a frozen one it is not kept.
    saved.push_back(weight.requires_grad() ? x : Tensor());
    saved.insert(saved.end(), up.begin(), up.end());
    ctx->save_for_backward(std::move(saved));
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    ctx->saved_data["biased"] = bias.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &narrow = saved[0], &gates = saved[1], &weight = saved[2], &x = saved[3];
    ExpertPlan& p = shared_plan(ctx);
    const Tensor dy = gradients[0].contiguous();  // [T, O]
    const Tensor d_narrow = at::empty(narrow.sizes(), narrow.options());
    const Tensor d_gates = at::empty(gates.sizes(), gates.options());
    variable_list d_up;
    for (int64_t m = 0; m < static_cast<int64_t>(p.columns.size()); ++m) {
      const Tensor &up = saved[4 + m], part = of_member(dy, p, m);  // [E r, out], [T, out]
      const Tensor shrink = shrink_of(narrow, p, m), gate = gates.select(1, m);
      const Tensor d_inner = at::mm(part, up.to(part.scalar_type()).t()).mul_(p.scaling);
      const Tensor inner = gated(shrink, gate, p);  // [T, E r]
      d_up.push_back(at::mm(inner.t(), part).mul_(p.scaling).to(up.scalar_type()));
      d_gates.select(1, m).copy_(by_expert(d_inner * shrink, p));
      shrink_of(d_narrow, p, m).copy_(gated(d_inner, gate, p));
    }
    if (p.needs_dx) p.dx = at::mm(dy, weight);  // [T, D]
    variable_list out = {d_narrow, d_gates, Tensor(), Tensor()};
    if (ctx->needs_input_grad(2)) out[2] = at::mm(dy.t(), x);
    if (ctx->saved_data["biased"].toBool() && ctx->needs_input_grad(3)) out[3] = dy.sum(0);
    out.insert(out.end(), d_up.begin(), d_up.end());
    out.emplace_back();  // x: its gradient goes through the plan
    out.emplace_back();  // the plan
    return out;
  }

 private:
  static Tensor of_member(const Tensor& y, const ExpertPlan& p, int64_t m) {
    const Slice& span = p.columns[static_cast<size_t>(m)];
    return y.narrow(1, span.begin, span.count);
  }
  static Tensor shrink_of(const Tensor& narrow, const ExpertPlan& p, int64_t m) {
    return narrow.narrow(1, m * p.width(), p.width());
  }
};

}  // namespace

Shrunk shrink_product(const Tensor& x, const Tensor& shrink,
                      const c10::intrusive_ptr<ExpertPlan>& plan) {
  plan->needs_dx = x.requires_grad() && at::GradMode::is_enabled();
  const variable_list out = ShrinkProduct::apply(x, shrink, plan);
  return {out[0], out[1]};
}

Tensor expand_product(const Tensor& x, const Tensor& narrow, const Tensor& gates,
                      const Tensor& weight, const std::optional<Tensor>& bias,
                      const std::vector<Tensor>& up, const c10::intrusive_ptr<ExpertPlan>& plan) {
  return ExpandProduct::apply(narrow, gates, weight, bias, at::TensorList(up), x.detach(), plan);
}

}  // namespace mixtune
