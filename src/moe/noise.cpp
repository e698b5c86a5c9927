#include "moe/noise.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mixtune {
namespace {

constexpr int64_t kFactors = 8;  // 16-bit random numbers per Philox block
constexpr int64_t kNormals = 4;  // normal random numbers of 32 bits per Philox block

void factor_row(float* out, int64_t width, float jitter, const DropoutMask& draw, uint32_t token,
                uint32_t example) {
  for (int64_t first = 0; first < width; first += kFactors) {
    const PhiloxBlock bits =
        philox(draw.key, static_cast<uint32_t>(first / kFactors), token, example, draw.step);
    for (int64_t j = first; j < std::min(width, first + kFactors); ++j) {
      const uint32_t word = bits.word[(j - first) / 2];
      const uint32_t half = (j - first) % 2 == 0 ? word & 0xFFFFu : word >> 16;
      out[j] = 1.0f + jitter * ((static_cast<float>(half) + 0.5f) / 32768.0f - 1.0f);
    }
  }
}

// A number in the open interval (0, 1), whose logarithm is finite.
double share_of(uint32_t word) {
  return (static_cast<double>(word) + 0.5) / 4294967296.0;
}

// Box-Muller: two random words give two normal numbers.
void normal_row(float* out, int64_t width, const DropoutMask& draw, uint32_t token,
                uint32_t example) {
  for (int64_t first = 0; first < width; first += kNormals) {
    const PhiloxBlock bits =
        philox(draw.key, static_cast<uint32_t>(first / kNormals), token, example, draw.step);
    for (int64_t j = first; j < std::min(width, first + kNormals); ++j) {
      const int64_t pair = (j - first) / 2 * 2;
      const double radius = std::sqrt(-2 * std::log(share_of(bits.word[pair])));
      const double angle = 2 * std::numbers::pi * share_of(bits.word[pair + 1]);
      out[j] = static_cast<float>(radius * (j % 2 == 0 ? std::cos(angle) : std::sin(angle)));
    }
  }
}

// Calls fill(row of [T, width], token, example) for every row of `draw`.
template <class Fill>
Tensor filled_rows(const Tensor& like, const DropoutMask& draw, const Fill& fill) {
  const Tensor out = at::empty(like.sizes(), at::kFloat);
  const Tensor token = draw.token.to(at::kCPU), example = draw.example.to(at::kCPU);
  const int64_t *tokens = token.const_data_ptr<int64_t>(),
                *examples = example.const_data_ptr<int64_t>();
  const int64_t width = like.size(1);
  float* data = out.data_ptr<float>();
  at::parallel_for(0, like.size(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      fill(data + r * width, static_cast<uint32_t>(tokens[r]), static_cast<uint32_t>(examples[r]));
  });
  return out.to(like.options());
}

}  // namespace

Tensor jittered(const Tensor& x, double jitter, const DropoutMask& draw) {
  return x * filled_rows(x, draw, [&](float* row, uint32_t token, uint32_t example) {  // [T, D]
           factor_row(row, x.size(1), static_cast<float>(jitter), draw, token, example);
         });
}

Tensor noisy(const Tensor& scores, double deviation, const DropoutMask& draw) {
  const Tensor normal =
      filled_rows(scores, draw, [&](float* row, uint32_t token, uint32_t example) {  // [T, E]
        normal_row(row, scores.size(1), draw, token, example);
      });
  return scores + normal * deviation;
}

}  // namespace mixtune
