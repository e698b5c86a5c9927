// Legend: flat tensors are [count] over all trainables; a run is a range of them with equal
// settings.
#include "train/optimizer.h"

#include <cmath>

#include "tensor/clones.h"

namespace mixtune {
namespace {

// The constants of an update, in the precision of the buffer.
template <class Real>
struct Constants {
  Real keep;  // 1 - rate * weight decay
  Real beta1, one_minus_beta1, beta2, one_minus_beta2;
  Real step_size;  // rate / (1 - beta1^t)
  Real root;       // sqrt(1 - beta2^t)
  Real epsilon, scale;
};

template <class Real>
[[gnu::always_inline]] inline void update(Real* __restrict w, const Real* __restrict g,
                                          Real* __restrict m, Real* __restrict v, int64_t count,
                                          const Constants<Real>& c) {
  for (int64_t i = 0; i < count; ++i) {
    const Real gradient = g[i] * c.scale;
    const Real weight = w[i] * c.keep;
    const Real mean = m[i] + c.one_minus_beta1 * (gradient - m[i]);
    const Real square = v[i] * c.beta2 + c.one_minus_beta2 * gradient * gradient;
    m[i] = mean;
    v[i] = square;
    w[i] = weight - c.step_size * (mean / (std::sqrt(square) / c.root + c.epsilon));
  }
}

MIXTUNE_CLONES void update_float(float* w, const float* g, float* m, float* v, int64_t count,
                                 const Constants<float>& c) {
  update(w, g, m, v, count, c);
}
MIXTUNE_CLONES void update_double(double* w, const double* g, double* m, double* v, int64_t count,
                                  const Constants<double>& c) {
  update(w, g, m, v, count, c);
}

// Elements per task and per partial sum; fixed, so that neither depends on the number of threads.
constexpr int64_t kBlock = 1 << 14;

template <class Real, class Kernel>
void update_range(const Tensor& w, const Tensor& g, const Tensor& m, const Tensor& v, int64_t begin,
                  int64_t end, const Constants<Real>& c, Kernel kernel) {
  Real* const pw = w.data_ptr<Real>();
  const Real* const pg = g.data_ptr<Real>();
  Real* const pm = m.data_ptr<Real>();
  Real* const pv = v.data_ptr<Real>();
  at::parallel_for(begin, end, kBlock, [&](int64_t first, int64_t last) {
    kernel(pw + first, pg + first, pm + first, pv + first, last - first, c);
  });
}

template <class Real>
Constants<Real> constants(const AdamWOptions& o, double rate, double decay, int64_t t,
                          double scale) {
  return {.keep = static_cast<Real>(1 - rate * decay),
          .beta1 = static_cast<Real>(o.beta1),
          .one_minus_beta1 = static_cast<Real>(1 - o.beta1),
          .beta2 = static_cast<Real>(o.beta2),
          .one_minus_beta2 = static_cast<Real>(1 - o.beta2),
          .step_size = static_cast<Real>(rate / (1 - std::pow(o.beta1, static_cast<double>(t)))),
          .root = static_cast<Real>(std::sqrt(1 - std::pow(o.beta2, static_cast<double>(t)))),
          .epsilon = static_cast<Real>(o.epsilon),
          .scale = static_cast<Real>(scale)};
}

MIXTUNE_CLONES double square_sum(const float* x, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

}  // namespace

AdamW::AdamW(Trainables& trainables, AdamWOptions options)
    : first(at::zeros_like(trainables.values)),
      second(at::zeros_like(trainables.values)),
      trainables_(trainables),
      options_(std::move(options)) {
  for (const Segment& segment : trainables.segments()) {
    const auto found = options_.groups.find(segment.group);
    const GroupOptions& group = found == options_.groups.end() ? options_.defaults : found->second;
    const double decay = segment.decays ? group.weight_decay : 0;
    const int64_t end = segment.offset + segment.count();
    if (!runs_.empty() && runs_.back().learning_rate == group.learning_rate &&
        runs_.back().weight_decay == decay && runs_.back().end == segment.offset)
      runs_.back().end = end;
    else
      runs_.push_back({segment.offset, end, group.learning_rate, decay});
  }
}

void AdamW::step(double factor, double gradient_scale) {
  at::NoGradGuard no_grad;
  ++steps_done_;
  Tensor& w = trainables_.values;
  const Tensor& g = trainables_.gradients;
  for (const Run& run : runs_) {
    const double rate = run.learning_rate * factor;
    if (w.is_cpu() && w.scalar_type() == at::kFloat) {
      update_range(w, g, first, second, run.begin, run.end,
                   constants<float>(options_, rate, run.weight_decay, steps_done_, gradient_scale),
                   update_float);
      continue;
    }
    const auto c = constants<double>(options_, rate, run.weight_decay, steps_done_, gradient_scale);
    if (w.is_cpu() && w.scalar_type() == at::kDouble) {
      update_range(w, g, first, second, run.begin, run.end, c, update_double);
      continue;
    }
    const auto part = [&](const Tensor& flat) {
      return flat.narrow(0, run.begin, run.end - run.begin);
    };
    const Tensor gradient = part(g) * gradient_scale;
    Tensor weight = part(w), mean = part(first), square = part(second);
    weight.mul_(c.keep);
    mean.lerp_(gradient, c.one_minus_beta1);
    square.mul_(c.beta2).addcmul_(gradient, gradient, c.one_minus_beta2);
    weight.addcdiv_(mean, (square.sqrt() / c.root).add_(c.epsilon), -c.step_size);
  }
}

double global_norm(const Tensor& flat) {
  if (!flat.is_cpu() || flat.scalar_type() != at::kFloat)
    return flat.to(at::kDouble).square().sum().sqrt().item<double>();
  const int64_t count = flat.numel(), blocks = (count + kBlock - 1) / kBlock;
  const float* x = flat.data_ptr<float>();
  std::vector<double> sums(static_cast<size_t>(blocks));
  at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      sums[b] = square_sum(x + b * kBlock, std::min(kBlock, count - b * kBlock));
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  return std::sqrt(sum);
}

double clip_scale(double norm, double limit) {
  return std::min(1.0, limit / (norm + 1e-6));
}

}  // namespace mixtune
