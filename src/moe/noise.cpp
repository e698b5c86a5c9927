#include "moe/noise.h"

#include <algorithm>

namespace molt {
namespace {

constexpr int64_t kBlock = 8;  // draws of 16 bits in a Philox block

void factor_row(float* out, int64_t width, float jitter, const DropoutMask& draw, uint32_t token,
                uint32_t example) {
  for (int64_t first = 0; first < width; first += kBlock) {
    const PhiloxBlock bits =
        philox(draw.key, static_cast<uint32_t>(first / kBlock), token, example, draw.step);
    for (int64_t j = first; j < std::min(width, first + kBlock); ++j) {
      const uint32_t word = bits.word[(j - first) / 2];
      const uint32_t half = (j - first) % 2 == 0 ? word & 0xFFFFu : word >> 16;
      out[j] = 1.0f + jitter * ((static_cast<float>(half) + 0.5f) / 32768.0f - 1.0f);
    }
  }
}

}  // namespace

Tensor jittered(const Tensor& x, double jitter, const DropoutMask& draw) {
  const Tensor factors = at::empty(x.sizes(), at::kFloat);  // [T, D]
  const Tensor token = draw.token.to(at::kCPU), example = draw.example.to(at::kCPU);
  const int64_t *tokens = token.const_data_ptr<int64_t>(),
                *examples = example.const_data_ptr<int64_t>();
  const int64_t width = x.size(1);
  float* data = factors.data_ptr<float>();
  at::parallel_for(0, x.size(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      factor_row(data + r * width, width, static_cast<float>(jitter), draw,
                 static_cast<uint32_t>(tokens[r]), static_cast<uint32_t>(examples[r]));
  });
  return x * factors.to(x.options());
}

}  // namespace molt
