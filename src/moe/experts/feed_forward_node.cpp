// The main cost is the activation of every pair. The products with the base weights run once for
// all experts: gate and up, because experts add to them before the activation, and down, because it
// is linear: sum_e w_e W h_e = W sum_e w_e h_e. The inner activations of the pairs are not kept:
// the backward pass recomputes them, expert by expert, from the base and shrink products.
#include "moe/experts/feed_forward_node.h"

#include "tensor/clones.h"

namespace mixtune {
namespace {

MIXTUNE_CLONES void add_row(float* __restrict out, const float* __restrict x, float factor,
                            int64_t count) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) out[j] += factor * x[j];
}

// out[rows[i]] += factors[i] * x[i]. Rows are unique; factors [P], undefined: 1.
void add_rows(Tensor& out, const Tensor& rows, const Tensor& x, const Tensor& factors) {
  if (!out.is_cpu() || out.scalar_type() != at::kFloat || !x.is_contiguous()) {
    out.index_add_(0, rows, factors.defined() ? x * factors.unsqueeze(1) : x);
    return;
  }
  const Tensor scale = factors.defined() ? factors.contiguous() : factors;
  const float *from = x.const_data_ptr<float>(),
              *factor = scale.defined() ? scale.const_data_ptr<float>() : nullptr;
  const int64_t width = x.size(1), *row = rows.const_data_ptr<int64_t>();
  float* to = out.data_ptr<float>();
  at::parallel_for(0, x.size(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      add_row(to + row[i] * width, from + i * width, factor ? factor[i] : 1.0f, width);
  });
}

// The mask for some of the rows.
DropoutMask mask_of(const DropoutMask& mask, const Tensor& rows) {
  if (!mask.active()) return mask;
  DropoutMask out = mask;
  out.example = mask.example.index_select(0, rows);
  out.token = mask.token.index_select(0, rows);
  return out;
}

// up [E, O, r] to one matrix [O, E r].
Tensor side_by_side(const Tensor& up) {
  return up.permute({1, 0, 2}).reshape({up.size(1), up.size(0) * up.size(2)});
}

class FeedForwardNode : public torch::autograd::Function<FeedForwardNode> {
 public:
  // parts: in_down, out_down, out_up, then in_up of each linear.
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weights,
                        at::TensorList parts, const c10::intrusive_ptr<FeedForwardPlan>& plan) {
    const FeedForwardPlan& p = *plan;
    const Tensor &out_down = parts[1], &out_up = parts[2];
    const int64_t experts = p.pairs.experts(), r = p.rank, tokens = x.size(0);
    const Tensor base = at::linear(x, p.base->up.weight, bias_of(p.base->up));      // [T, M F]
    const Tensor shrink = at::mm(apply_mask(x, p.mask), parts[0].t());              // [T, M E r]
    Tensor inner = at::zeros({tokens, p.base->down.in()}, x.options());             // [T, F]
    const Tensor out_shrink = at::empty({p.pairs.tokens.size(0), r}, x.options());  // [P, r]
    const Tensor weighted = at::zeros({tokens, experts, r}, x.options());           // [T, E, r]
    for (int64_t e = 0; e < experts; ++e) {
      const Tensor rows = p.pairs.of(e);  // [Pe]
      if (rows.size(0) == 0) continue;
      const Tensor h = p.base->activated(before(p, base, shrink, parts, e, rows));  // [Pe, F]
      const Tensor weight = weights.select(1, e).index_select(0, rows);             // [Pe]
      Tensor q = out_shrink.narrow(0, p.pairs.offsets[e], rows.size(0));
      at::mm_out(q, apply_mask(h, mask_of(p.inner_mask, rows)), out_down.narrow(0, e * r, r).t());
      weighted.select(1, e).index_copy_(0, rows, q * (weight * p.scaling).unsqueeze(1));
      add_rows(inner, rows, h, weight);
    }
    Tensor y = at::mm(inner, p.base->down.weight.t());  // [T, D]
    y.addmm_(weighted.view({tokens, experts * r}), side_by_side(out_up).t());
    // The bias is part of each expert, so it is multiplied by the sum of the weights.
    if (p.base->down.bias.defined()) y.addr_(weights.sum(1), p.base->down.bias);
    variable_list saved = {x, weights, base, shrink, out_shrink, weighted};
    saved.insert(saved.end(), parts.begin(), parts.end());
    ctx->save_for_backward(std::move(saved));
    ctx->saved_data["plan"] = c10::IValue::make_capsule(plan);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weights = saved[1], &base = saved[2], &shrink = saved[3],
                 &out_shrink = saved[4], &weighted = saved[5];
    const std::vector<Tensor> parts(saved.begin() + 6, saved.end());
    const Tensor &in_down = parts[0], &out_down = parts[1], &out_up = parts[2];
    const auto capsule = ctx->saved_data["plan"].toCapsule();
    const FeedForwardPlan& p = static_cast<const FeedForwardPlan&>(*capsule);
    const int64_t experts = p.pairs.experts(), r = p.rank, tokens = x.size(0);
    const auto linears = static_cast<int64_t>(parts.size()) - 3;
    const Tensor dy = gradients[0].contiguous();             // [T, D]
    const Tensor d_inner = at::mm(dy, p.base->down.weight);  // [T, F]
    const Tensor d_weighted = at::mm(dy, side_by_side(out_up)).view({tokens, experts, r});
    const Tensor d_out_up = at::mm(dy.t(), weighted.view({tokens, experts * r}))
                                .view({dy.size(1), experts, r})
                                .permute({1, 0, 2})
                                .contiguous();   // [E, D, r]
    Tensor d_weights = at::zeros_like(weights);  // [T, E]
    const Tensor d_bias = p.base->down.bias.defined() ? at::mv(dy, p.base->down.bias) : Tensor();
    Tensor d_base = at::zeros_like(base);  // [T, M F]
    const Tensor d_shrink = at::zeros({tokens, linears, experts, r}, x.options());
    const Tensor d_out_down = at::zeros_like(out_down);
    std::vector<Tensor> d_in_up;
    for (int64_t m = 0; m < linears; ++m) d_in_up.push_back(at::zeros_like(parts[3 + m]));
    for (int64_t e = 0; e < experts; ++e) {
      const Tensor rows = p.pairs.of(e);  // [Pe]
      if (rows.size(0) == 0) continue;
      const DropoutMask mask = mask_of(p.inner_mask, rows);
      const Tensor expanded = before(p, base, shrink, parts, e, rows);   // [Pe, M F]
      const Tensor h = p.base->activated(expanded);                      // [Pe, F]
      const Tensor weight = weights.select(1, e).index_select(0, rows);  // [Pe]
      const Tensor q = out_shrink.narrow(0, p.pairs.offsets[e], rows.size(0));
      const Tensor d_mixed = d_inner.index_select(0, rows);                          // [Pe, F]
      const Tensor d_q = d_weighted.select(1, e).index_select(0, rows) * p.scaling;  // [Pe, r]
      Tensor d_weight = row_products(d_mixed, h) + (d_q * q).sum(1);                 // [Pe]
      if (d_bias.defined()) d_weight += d_bias.index_select(0, rows);
      d_weights.select(1, e).index_copy_(0, rows, d_weight);
      const Tensor d_q_weighted = d_q * weight.unsqueeze(1);
      const Tensor a = out_down.narrow(0, e * r, r);
      d_out_down.narrow(0, e * r, r).copy_(at::mm(d_q_weighted.t(), apply_mask(h, mask)));
      Tensor d_h = d_mixed.mul_(weight.unsqueeze(1));  // in place on our own
      d_h = mask.active() ? apply_mask_add(at::mm(d_q_weighted, a), d_h, mask)
                          : d_h.addmm_(d_q_weighted, a);
      const Tensor d_expand = p.base->activated_gradient(expanded, d_h);  // [Pe, M F]
      for (int64_t m = 0; m < linears; ++m) {
        const int64_t f = d_expand.size(1) / linears;
        const Tensor d_part = d_expand.narrow(1, m * f, f);
        const Tensor own = shrink.narrow(1, (m * experts + e) * r, r).index_select(0, rows);
        d_in_up[m].select(0, e).addmm_(d_part.t(), own, 0, p.scaling);
        d_shrink.select(1, m).select(1, e).index_copy_(
            0, rows, at::mm(d_part, parts[3 + m].select(0, e)).mul_(p.scaling));
      }
      add_rows(d_base, rows, d_expand, {});
    }
    const Tensor d_shrink_flat = d_shrink.view({tokens, linears * experts * r});
    variable_list out(2);
    if (ctx->needs_input_grad(0)) {
      out[0] = at::mm(d_base, p.base->up.weight);  // [T, D]
      out[0] = p.mask.active() ? apply_mask_add(at::mm(d_shrink_flat, in_down), out[0], p.mask)
                               : out[0].addmm_(d_shrink_flat, in_down);
    }
    out[1] = d_weights;
    out.push_back(at::mm(d_shrink_flat.t(), apply_mask(x, p.mask)));  // [M E r, D]
    out.insert(out.end(), {d_out_down, d_out_up});
    out.insert(out.end(), d_in_up.begin(), d_in_up.end());
    out.emplace_back();  // the plan
    return out;
  }

 private:
  static std::optional<Tensor> bias_of(const LinearGroup& group) {
    return group.bias.defined() ? std::optional<Tensor>(group.bias) : std::nullopt;
  }

  // The input of one expert's activation: the base product of its rows plus its updates. [Pe, M F]
  template <class Parts>
  static Tensor before(const FeedForwardPlan& p, const Tensor& base, const Tensor& shrink,
                       const Parts& parts, int64_t e, const Tensor& rows) {
    Tensor out = base.index_select(0, rows);
    const auto linears = static_cast<int64_t>(parts.size()) - 3;
    const int64_t f = out.size(1) / linears, r = p.rank, experts = p.pairs.experts();
    for (int64_t m = 0; m < linears; ++m)
      out.narrow(1, m * f, f)
          .addmm_(shrink.narrow(1, (m * experts + e) * r, r).index_select(0, rows),
                  parts[3 + m].select(0, e).t(), 1, p.scaling);
    return out;
  }

  static Tensor row_products(const Tensor& a, const Tensor& b) {
    return at::linalg_vecdot(a, b, 1);
  }
};

}  // namespace

Pairs pairs_of(const Tensor& mask) {
  const at::NoGradGuard no_grad;
  const Tensor by_expert = mask.t().contiguous();              // [E, T]
  const Tensor counts = (by_expert != 0).sum(1).to(at::kCPU);  // [E]
  Pairs out{.tokens = at::nonzero(by_expert).select(1, 1).contiguous(), .offsets = {0}};
  for (int64_t e = 0; e < counts.size(0); ++e)
    out.offsets.push_back(out.offsets.back() + counts.const_data_ptr<int64_t>()[e]);
  return out;
}

Tensor feed_forward_experts(const Tensor& x, const Tensor& weights,
                            const FeedForwardExpertWeights& experts,
                            const c10::intrusive_ptr<FeedForwardPlan>& plan) {
  MIXTUNE_CHECK(x.dim() == 2 && x.size(1) == plan->base->up.in(), shape_text(x));
  MIXTUNE_CHECK(weights.size(0) == x.size(0) && weights.size(1) == plan->pairs.experts(),
                shape_text(weights));
  std::vector<Tensor> parts = {experts.in_down, experts.out_down, experts.out_up};
  parts.insert(parts.end(), experts.in_up.begin(), experts.in_up.end());
  plan->rank = experts.rank;
  plan->scaling = experts.scaling;
  return FeedForwardNode::apply(x, weights, at::TensorList(parts), plan);
}

}  // namespace mixtune
