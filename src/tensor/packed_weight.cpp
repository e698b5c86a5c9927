#include "tensor/packed_weight.h"

#include <algorithm>
#include <cstring>

namespace mixtune {
namespace {

constexpr int64_t kPanel = 32, kHalf = kPanel / 2;
// Prefetch distance. Explicit prefetches are needed since the hardware prefetcher stops at pages.
constexpr int64_t kAheadBytes = 16384;
// Rows kept in registers beside the weights, for 32 registers of 16 floats and for 16 of 8.
constexpr int kRowsOfWide = 8, kRowsOfNarrow = 2;

using HalfPanel [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = float;
using HalfPanelBits [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = uint32_t;

// Arguments of a product; x_row and y_row are the strides from row to row.
struct Product {
  const float* x;
  int64_t x_row;
  float* y;
  int64_t y_row, rows, width, outputs;
  const float* bias;  // or null
};

// Converts 32 weights to floats: the first 16 outputs and the last 16.
__attribute__((always_inline)) inline void widen(const float* panel, HalfPanel& first,
                                                 HalfPanel& last) {
  first = *reinterpret_cast<const HalfPanel*>(panel);
  last = *reinterpret_cast<const HalfPanel*>(panel + kHalf);
}

__attribute__((always_inline)) inline void widen(const uint16_t* panel, HalfPanel& first,
                                                 HalfPanel& last) {
  const HalfPanelBits both = *reinterpret_cast<const HalfPanelBits*>(panel);
  const HalfPanelBits low = both << 16, high = both & 0xFFFF0000u;
  first = reinterpret_cast<const HalfPanel&>(low);
  last = reinterpret_cast<const HalfPanel&>(high);
}

template <int kRows, class Element>
__attribute__((always_inline)) inline void rows_of_panel(const Product& p, int64_t row,
                                                         const Element* panel, int64_t output) {
  constexpr int64_t kAhead = kAheadBytes / static_cast<int64_t>(sizeof(Element));
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(Element));
  HalfPanel first[kRows], last[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) first[r] = last[r] = HalfPanel{};
  const float* x = p.x + row * p.x_row;
  for (int64_t k = 0; k < p.width; ++k, panel += kPanel) {
#pragma GCC unroll 2
    for (int64_t line = 0; line < kPanel; line += kLine)
      __builtin_prefetch(panel + kAhead + line, 0, 2);
    HalfPanel w_first, w_last;
    widen(panel, w_first, w_last);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const float factor = x[r * p.x_row + k];
      first[r] += w_first * factor;
      last[r] += w_last * factor;
    }
  }
  const int64_t count = std::min(kPanel, p.outputs - output);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    float sums[kPanel];
    std::memcpy(sums, &first[r], sizeof(HalfPanel));
    std::memcpy(sums + kHalf, &last[r], sizeof(HalfPanel));
    float* y = p.y + (row + r) * p.y_row + output;
    for (int64_t n = 0; n < count; ++n) y[n] = sums[n] + (p.bias ? p.bias[output + n] : 0.0f);
  }
}

// Multiplies panels [begin, end), at most kMost rows at a time.
template <int kMost, class Element>
__attribute__((always_inline)) inline void multiply_panels(const Product& p, const Element* panels,
                                                           int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const Element* panel = panels + i * p.width * kPanel;
    int64_t row = 0;
    for (; row + kMost <= p.rows; row += kMost) rows_of_panel<kMost>(p, row, panel, i * kPanel);
    if constexpr (kMost > 4)
      for (; row + 4 <= p.rows; row += 4) rows_of_panel<4>(p, row, panel, i * kPanel);
    if constexpr (kMost > 2)
      for (; row + 2 <= p.rows; row += 2) rows_of_panel<2>(p, row, panel, i * kPanel);
    for (; row < p.rows; ++row) rows_of_panel<1>(p, row, panel, i * kPanel);
  }
}

// One version per processor level. MIXTUNE_CLONES does not fit, since kMost differs by level.
template <class Element>
using Multiply = void (*)(const Product&, const Element*, int64_t, int64_t);

template <class Element>
void multiply_baseline(const Product& p, const Element* panels, int64_t begin, int64_t end) {
  multiply_panels<kRowsOfNarrow>(p, panels, begin, end);
}

#if defined(__x86_64__)
template <class Element>
__attribute__((target("arch=x86-64-v3"))) void multiply_v3(const Product& p, const Element* panels,
                                                           int64_t begin, int64_t end) {
  multiply_panels<kRowsOfNarrow>(p, panels, begin, end);
}

template <class Element>
__attribute__((target("arch=x86-64-v4"))) void multiply_v4(const Product& p, const Element* panels,
                                                           int64_t begin, int64_t end) {
  multiply_panels<kRowsOfWide>(p, panels, begin, end);
}
#endif

template <class Element>
Multiply<Element> multiply_here() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return multiply_v4<Element>;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return multiply_v3<Element>;
#endif
  return multiply_baseline<Element>;
}

template <class Element>
void multiply_all(const Product& p, const Element* panels, int64_t count) {
  static const Multiply<Element> multiply = multiply_here<Element>();
  // Starting a thread pays off for some tens of microseconds of work.
  const int64_t grain = std::max<int64_t>(1, 65536 / (p.width * kPanel));
  at::parallel_for(0, count, grain,
                   [&](int64_t begin, int64_t end) { multiply(p, panels, begin, end); });
}

}  // namespace

bool PackedWeight::takes(const Tensor& weight) {
  return weight.is_cpu() && weight.scalar_type() == at::kFloat && weight.dim() == 2;
}

PackedWeight::PackedWeight(const Tensor& weight) : outputs_(weight.size(0)) {
  MIXTUNE_CHECK(takes(weight), shape_text(weight));
  const at::NoGradGuard no_grad;
  const int64_t width = weight.size(1), count = (outputs_ + kPanel - 1) / kPanel;
  const Tensor narrow = weight.to(at::kBFloat16);
  const bool is_same = narrow.to(at::kFloat).equal(weight);
  const Tensor values = is_same ? narrow : weight.detach();
  const Tensor padded = at::constant_pad_nd(values, {0, 0, 0, count * kPanel - outputs_});
  panels_ = is_same ? padded.view({count, 2, kHalf, width}).permute({0, 3, 2, 1}).contiguous()
                    : padded.view({count, kPanel, width}).permute({0, 2, 1}).contiguous();
  panels_ = panels_.view({count, width, kPanel});
}

Tensor PackedWeight::multiply(const Tensor& x, const Tensor& bias) const {
  MIXTUNE_CHECK(x.dim() == 2 && x.size(1) == panels_.size(1) && x.stride(1) == 1, shape_text(x));
  const Tensor y = at::empty({x.size(0), outputs_}, x.options());
  const Product product{.x = x.const_data_ptr<float>(),
                        .x_row = x.stride(0),
                        .y = y.data_ptr<float>(),
                        .y_row = outputs_,
                        .rows = x.size(0),
                        .width = x.size(1),
                        .outputs = outputs_,
                        .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr};
  if (is_bfloat16())
    multiply_all(product, static_cast<const uint16_t*>(panels_.const_data_ptr()), panels_.size(0));
  else
    multiply_all(product, panels_.const_data_ptr<float>(), panels_.size(0));
  return y;
}

}  // namespace mixtune
