// Legend: T tokens, F width of the feed-forward.
#include "nn/feed_forward.h"
#include "tensor/clones.h"
#include "tensor/exp.h"

namespace mixtune {
namespace {

MIXTUNE_CLONES void forward_row(float* __restrict out, const float* __restrict gate,
                                const float* __restrict up, int64_t count) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) out[j] = gate[j] * sigmoid_of(gate[j]) * up[j];
}

MIXTUNE_CLONES void backward_row(float* __restrict d_gate, float* __restrict d_up,
                                 const float* __restrict dy, const float* __restrict gate,
                                 const float* __restrict up, int64_t count) {
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) {
    const float s = sigmoid_of(gate[j]), silu = gate[j] * s;
    d_gate[j] = dy[j] * up[j] * (s + silu * (1.0f - s));
    d_up[j] = dy[j] * silu;
  }
}

bool has_kernel(const Tensor& y) {
  return y.is_cpu() && y.scalar_type() == at::kFloat;
}

Tensor values(const Tensor& y) {
  const int64_t width = y.size(1) / 2;
  const Tensor out = at::empty({y.size(0), width}, y.options());
  const float* from = y.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  at::parallel_for(0, y.size(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      forward_row(to + r * width, from + r * 2 * width, from + (r * 2 + 1) * width, width);
  });
  return out;
}

class Swiglu : public torch::autograd::Function<Swiglu> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& y) {
    ctx->save_for_backward({y});
    return values(y);
  }
  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    return {swiglu_gradient(ctx->get_saved_variables()[0], gradients[0])};
  }
};

}  // namespace

Tensor swiglu(const Tensor& y) {
  MIXTUNE_CHECK(y.dim() == 2 && y.size(1) % 2 == 0, shape_text(y));
  if (has_kernel(y)) return Swiglu::apply(y.contiguous());
  const int64_t width = y.size(1) / 2;
  return at::silu(y.narrow(1, 0, width)) * y.narrow(1, width, width);
}

Tensor swiglu_gradient(const Tensor& y, const Tensor& dh) {
  const int64_t width = y.size(1) / 2;
  if (!has_kernel(y)) {
    const Tensor gate = y.narrow(1, 0, width);
    return at::cat({at::silu_backward(dh * y.narrow(1, width, width), gate), dh * at::silu(gate)},
                   1);
  }
  const Tensor in = y.contiguous(), dy = dh.contiguous();
  const Tensor out = at::empty_like(in);
  const float *from = in.const_data_ptr<float>(), *g = dy.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  at::parallel_for(0, in.size(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      backward_row(to + r * 2 * width, to + (r * 2 + 1) * width, g + r * width,
                   from + r * 2 * width, from + (r * 2 + 1) * width, width);
  });
  return out;
}

}  // namespace mixtune
