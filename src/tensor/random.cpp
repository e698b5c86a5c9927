#include "tensor/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/mask_cuda.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mixtune {
namespace {

constexpr int kLanes = 8;
constexpr int kGroup = 64;
constexpr uint32_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
constexpr uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;

struct Lanes {
  uint32_t word[4][kLanes];
};

struct MaskRow {
  RandomKey key;
  uint32_t token, example, step, threshold;
  float scale;
};

// The loops over a row, for one instruction set.
struct MaskKernels {
  void (*fill)(float* factors, int64_t count, const MaskRow& row);
  void (*multiply)(float* out, const float* x, int64_t count, const MaskRow& row);
  void (*multiply_add)(float* out, const float* x, const float* residual, int64_t count,
                       const MaskRow& row);
};

// Without fused multiply-add, so that a product and a sum are rounded the same on every processor.
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")

namespace baseline {
#include "tensor/mask_kernel.inc"
}

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("arch=haswell")
namespace avx2 {
#include "tensor/mask_kernel.inc"
}
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=skylake-avx512")
namespace avx512 {
#include "tensor/mask_kernel.inc"
}
#pragma GCC pop_options
#endif
#pragma GCC pop_options

struct NamedKernels {
  std::string name;
  MaskKernels kernels;
};

// The kernels that this processor supports, the one in use first.
std::vector<NamedKernels>& available() {
  static std::vector<NamedKernels> kernels = [] {
    std::vector<NamedKernels> out;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
      out.push_back({"avx512", {avx512::fill, avx512::multiply, avx512::multiply_add}});
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
      out.push_back({"avx2", {avx2::fill, avx2::multiply, avx2::multiply_add}});
#endif
    out.push_back({"baseline", {baseline::fill, baseline::multiply, baseline::multiply_add}});
    return out;
  }();
  return kernels;
}

const MaskKernels& kernels() {
  return available().front().kernels;
}

// The same factors as a tensor, for doubles and for devices without a fused kernel.
Tensor factor_tensor(const Tensor& like, const DropoutMask& mask) {
  return mask_factors(mask, like.size(1)).to(like.options());
}

bool has_kernel(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat;
}

template <class RowKernel>
void for_rows(const Tensor& x, const DropoutMask& mask, const RowKernel& kernel) {
  MIXTUNE_CHECK(mask.example.numel() == x.size(0) && mask.token.numel() == x.size(0),
                "mask rows " + shape_text(mask.example) + " for " + shape_text(x));
  const int64_t* example = mask.example.data_ptr<int64_t>();
  const int64_t* token = mask.token.data_ptr<int64_t>();
  const uint32_t threshold = mask.threshold();
  const float scale = mask.scale();
  at::parallel_for(0, x.size(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      kernel(r, MaskRow{mask.key, static_cast<uint32_t>(token[r]),
                        static_cast<uint32_t>(example[r]), mask.step, threshold, scale});
  });
}

class Dropout : public torch::autograd::Function<Dropout> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const DropoutMask& mask) {
    ctx->saved_data["key"] = static_cast<int64_t>(mask.key);
    ctx->saved_data["step"] = static_cast<int64_t>(mask.step);
    ctx->saved_data["probability"] = mask.probability;
    ctx->save_for_backward({mask.example, mask.token});
    return apply_mask(x, mask);
  }
  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const DropoutMask mask{ctx->saved_data["probability"].toDouble(),
                           static_cast<RandomKey>(ctx->saved_data["key"].toInt()),
                           static_cast<uint32_t>(ctx->saved_data["step"].toInt()), saved[0],
                           saved[1]};
    return {apply_mask(gradients[0], mask), Tensor()};
  }
};

}  // namespace

RandomKey derive(RandomKey key, uint64_t word) {
  uint64_t z =
      key * 0xD1342543DE82EF95ull + word + 0x9E3779B97F4A7C15ull;  // then SplitMix64's finalizer
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

RandomKey derive(RandomKey key, std::string_view name) {
  RandomKey out = derive(key, name.size());
  for (const char c : name) out = derive(out, static_cast<unsigned char>(c));
  return out;
}

PhiloxBlock philox(RandomKey key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3) {
  Lanes c{};
  c.word[0][0] = c0;
  c.word[1][0] = c1;
  c.word[2][0] = c2;
  c.word[3][0] = c3;
  baseline::philox_lanes(c, static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32));
  return {{c.word[0][0], c.word[1][0], c.word[2][0], c.word[3][0]}};
}

namespace {

// 64 random bits of a stream; counter words 2 and 3 keep them apart from masks.
uint64_t bits(RandomKey key, uint64_t counter) {
  const PhiloxBlock block = philox(key, static_cast<uint32_t>(counter),
                                   static_cast<uint32_t>(counter >> 32), 0xFFFFFFFFu, 0xFFFFFFFFu);
  return (uint64_t{block.word[1]} << 32) | block.word[0];
}

}  // namespace

double uniform_number(RandomKey key, uint64_t counter) {
  return static_cast<double>(bits(key, counter) >> 11) * 0x1.0p-53;
}

uint64_t random_integer(RandomKey key, uint64_t counter, uint64_t bound) {
  MIXTUNE_CHECK(bound > 0, "bound 0");
  // Multiply-shift: the bias is below bound / 2^64.
  return static_cast<uint64_t>((static_cast<unsigned __int128>(bits(key, counter)) * bound) >> 64);
}

std::vector<int64_t> permutation(RandomKey key, int64_t count) {
  std::vector<int64_t> out(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) out[i] = i;
  for (int64_t i = count - 1; i > 0; --i)
    std::swap(out[i],
              out[random_integer(key, static_cast<uint64_t>(i), static_cast<uint64_t>(i) + 1)]);
  return out;
}

Tensor normal_tensor(at::IntArrayRef shape, double deviation, RandomKey key) {
  const Tensor out = at::empty(shape, at::kFloat);
  float* data = out.data_ptr<float>();
  for (int64_t i = 0; i < out.numel();
       i += 2) {  // Box-Muller: two uniform numbers give two elements
    const double u = 1.0 - uniform_number(key, static_cast<uint64_t>(i));
    const double angle = 2 * std::numbers::pi * uniform_number(key, static_cast<uint64_t>(i) + 1);
    const double radius = deviation * std::sqrt(-2 * std::log(u));
    data[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < out.numel()) data[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return out;
}

Tensor uniform_tensor(at::IntArrayRef shape, double low, double high, RandomKey key) {
  const Tensor out = at::empty(shape, at::kFloat);
  float* data = out.data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i)
    data[i] =
        static_cast<float>(low + (high - low) * uniform_number(key, static_cast<uint64_t>(i)));
  return out;
}

uint32_t DropoutMask::threshold() const {
  return static_cast<uint32_t>(std::lround(probability * 65536.0));
}

float DropoutMask::scale() const {
  return 65536.0f / static_cast<float>(65536u - threshold());
}

void mask_row(float* factors, int64_t count, RandomKey key, uint32_t token, uint32_t example,
              uint32_t step, uint32_t threshold, float scale) {
  kernels().fill(factors, count, MaskRow{key, token, example, step, threshold, scale});
}

std::vector<std::string> mask_kernel_names() {
  std::vector<std::string> out;
  for (const NamedKernels& k : available()) out.push_back(k.name);
  return out;
}

void use_mask_kernels(const std::string& name) {
  auto& all = available();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& k) { return k.name == name; });
  MIXTUNE_CHECK(found != all.end(), "no mask kernels named " + name);
  std::rotate(all.begin(), found, found + 1);
}

Tensor mask_factors(const DropoutMask& mask, int64_t columns) {
  const int64_t rows = mask.token.size(0);
  const auto options = at::TensorOptions().dtype(at::kFloat);
#ifdef MIXTUNE_CUDA_KERNELS
  if (mask.token.is_cuda()) {
    const Tensor out = at::empty({rows, columns}, options.device(mask.token.device()));
    const int code = fill_mask_on_device({out.data_ptr<float>(), mask.token.data_ptr<int64_t>(),
                                          mask.example.data_ptr<int64_t>(), rows, columns, mask.key,
                                          mask.step, mask.threshold(), mask.scale()});
    MIXTUNE_CHECK(code == 0, "mask kernel: CUDA error " + std::to_string(code));
    return out;
  }
#endif
  const Tensor out = at::empty({rows, columns}, options);
  const Tensor example = mask.example.to(at::kCPU), token = mask.token.to(at::kCPU);
  for (int64_t r = 0; r < rows; ++r)
    mask_row(out.data_ptr<float>() + r * columns, columns, mask.key,
             static_cast<uint32_t>(token.data_ptr<int64_t>()[r]),
             static_cast<uint32_t>(example.data_ptr<int64_t>()[r]), mask.step, mask.threshold(),
             mask.scale());
  return out.to(mask.token.device());
}

Tensor apply_mask(const Tensor& x, const DropoutMask& mask) {
  if (!mask.active()) return x;
  if (!has_kernel(x)) return x * factor_tensor(x, mask);
  const Tensor in = x.contiguous();
  Tensor out = at::empty_like(in);
  const int64_t width = in.size(1);
  const float* from = in.data_ptr<float>();
  float* to = out.data_ptr<float>();
  for_rows(in, mask, [&](int64_t r, const MaskRow& row) {
    kernels().multiply(to + r * width, from + r * width, width, row);
  });
  return out;
}

Tensor apply_mask_add(const Tensor& x, const Tensor& residual, const DropoutMask& mask) {
  if (!mask.active()) return x + residual;
  if (!has_kernel(x)) return x * factor_tensor(x, mask) + residual;
  const Tensor in = x.contiguous(), base = residual.contiguous();
  Tensor out = at::empty_like(in);
  const int64_t width = in.size(1);
  const float* from = in.data_ptr<float>();
  const float* add = base.data_ptr<float>();
  float* to = out.data_ptr<float>();
  for_rows(in, mask, [&](int64_t r, const MaskRow& row) {
    kernels().multiply_add(to + r * width, from + r * width, add + r * width, width, row);
  });
  return out;
}

Tensor dropout(const Tensor& x, const DropoutMask& mask) {
  return mask.active() ? Dropout::apply(x, mask) : x;
}

}  // namespace mixtune
