// Legend: R rows of D columns (tokens, or heads of tokens).
#include "nn/rms_norm.h"

#include <cmath>

#include "tensor/clones.h"

namespace mixtune {
namespace {

MIXTUNE_CLONES float forward_row(float* __restrict out, const float* __restrict x,
                                 const float* __restrict weight, float offset, float epsilon,
                                 int64_t count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < count; ++j) sum += x[j] * x[j];
  const float inverse = 1.0f / std::sqrt(sum / static_cast<float>(count) + epsilon);
#pragma omp simd
  for (int64_t j = 0; j < count; ++j) out[j] = x[j] * inverse * (offset + weight[j]);
  return inverse;
}

// dx = r (g w - x r^2 mean(g w x)).
MIXTUNE_CLONES void backward_row(float* __restrict dx, const float* __restrict dy,
                                 const float* __restrict x, const float* __restrict weight,
                                 float offset, float inverse, int64_t count) {
  float dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t j = 0; j < count; ++j) dot += dy[j] * (offset + weight[j]) * x[j];
  const float shrink = dot * inverse * inverse / static_cast<float>(count);
#pragma omp simd
  for (int64_t j = 0; j < count; ++j)
    dx[j] = inverse * (dy[j] * (offset + weight[j]) - x[j] * shrink);
}

class RmsNormFunction : public torch::autograd::Function<RmsNormFunction> {
 public:
  // x [R, D], contiguous.
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, double epsilon,
                        double offset) {
    const int64_t rows = x.size(0), width = x.size(1);
    const Tensor out = at::empty_like(x), inverse = at::empty({rows}, x.options());
    const float *from = x.const_data_ptr<float>(), *w = weight.const_data_ptr<float>();
    float *to = out.data_ptr<float>(), *r = inverse.data_ptr<float>();
    at::parallel_for(0, rows, 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        r[i] = forward_row(to + i * width, from + i * width, w, static_cast<float>(offset),
                           static_cast<float>(epsilon), width);
    });
    ctx->save_for_backward({x, weight, inverse});
    ctx->saved_data["offset"] = offset;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &inverse = saved[2];
    const Tensor dy = gradients[0].contiguous();
    const auto offset = static_cast<float>(ctx->saved_data["offset"].toDouble());
    const int64_t rows = x.size(0), width = x.size(1);
    variable_list out(4);
    if (ctx->needs_input_grad(0)) {
      out[0] = at::empty_like(x);
      const float *from = x.const_data_ptr<float>(), *w = weight.const_data_ptr<float>();
      const float *g = dy.const_data_ptr<float>(), *r = inverse.const_data_ptr<float>();
      float* to = out[0].data_ptr<float>();
      at::parallel_for(0, rows, 16, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          backward_row(to + i * width, g + i * width, from + i * width, w, offset, r[i], width);
      });
    }
    if (ctx->needs_input_grad(1)) out[1] = (dy * x * inverse.unsqueeze(1)).sum(0);
    return out;
  }
};

}  // namespace

RmsNorm::RmsNorm(std::string name, int64_t width, double epsilon, double offset,
                 const at::TensorOptions& options)
    : name(std::move(name)),
      weight(at::full({width}, 1 - offset, options)),
      epsilon(epsilon),
      offset(offset) {}

Tensor RmsNorm::forward(const Tensor& x) const {
  const Tensor rows = x.reshape({-1, weight.size(0)});  // [R, D]
  if (x.is_cpu() && x.scalar_type() == at::kFloat)
    return RmsNormFunction::apply(rows.contiguous(), weight, epsilon, offset).view(x.sizes());
  const Tensor inverse = (rows.square().mean(1, true) + epsilon).rsqrt();  // [R, 1]
  return (rows * inverse * (weight + offset)).view(x.sizes());
}

}  // namespace mixtune
