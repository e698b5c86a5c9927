#include "tensor/random.h"

#include <cmath>
#include <numbers>

#include "tensor/clones.h"

// Column c of a row belongs to group c / 64; inside a group, lane = c % 8 and half = c / 8 % 8. The counter's
// first word is 8 * group + lane; the four words of a block hold eight 16-bit decisions, low half first.
// The loops below then run over eight lanes at once.

namespace molt {
namespace {

constexpr int kLanes = 8;
constexpr int kGroup = 64;
constexpr uint32_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
constexpr uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;

struct Lanes {
  uint32_t word[4][kLanes];
};

__attribute__((always_inline)) inline void philox_lanes(Lanes& c, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    for (int l = 0; l < kLanes; ++l) {
      const uint64_t p0 = uint64_t{kMultiplier0} * c.word[0][l];
      const uint64_t p1 = uint64_t{kMultiplier1} * c.word[2][l];
      c.word[0][l] = static_cast<uint32_t>(p1 >> 32) ^ c.word[1][l] ^ k0;
      c.word[1][l] = static_cast<uint32_t>(p1);
      c.word[2][l] = static_cast<uint32_t>(p0 >> 32) ^ c.word[3][l] ^ k1;
      c.word[3][l] = static_cast<uint32_t>(p0);
    }
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
}

struct Row {
  RandomKey key;
  uint32_t token, example, step, threshold;
  float scale;
};

__attribute__((always_inline)) inline void group_factors(float* factors, uint32_t group,
                                                         const Row& row) {
  Lanes c;
  for (int l = 0; l < kLanes; ++l) {
    c.word[0][l] = group * kLanes + static_cast<uint32_t>(l);
    c.word[1][l] = row.token;
    c.word[2][l] = row.example;
    c.word[3][l] = row.step;
  }
  philox_lanes(c, static_cast<uint32_t>(row.key), static_cast<uint32_t>(row.key >> 32));
  for (int half = 0; half < 8; ++half) {
    const int shift = 16 * (half % 2);
    for (int l = 0; l < kLanes; ++l) {
      const uint32_t decision = (c.word[half / 2][l] >> shift) & 0xFFFFu;
      factors[half * kLanes + l] = decision < row.threshold ? 0.0f : row.scale;
    }
  }
}

MOLT_CLONES void fill_factors(float* factors, int64_t count, const Row& row) {
  int64_t column = 0;
  for (; column + kGroup <= count; column += kGroup)
    group_factors(factors + column, static_cast<uint32_t>(column / kGroup), row);
  if (column < count) {
    float rest[kGroup];
    group_factors(rest, static_cast<uint32_t>(column / kGroup), row);
    for (int64_t c = column; c < count; ++c) factors[c] = rest[c - column];
  }
}

MOLT_CLONES void multiply_row(float* out, const float* x, int64_t count, const Row& row) {
  float factors[kGroup];
  for (int64_t column = 0; column < count; column += kGroup) {
    group_factors(factors, static_cast<uint32_t>(column / kGroup), row);
    const int64_t width = std::min<int64_t>(kGroup, count - column);
    for (int64_t c = 0; c < width; ++c) out[column + c] = x[column + c] * factors[c];
  }
}

MOLT_CLONES void multiply_add_row(float* out, const float* x, const float* residual, int64_t count,
                                  const Row& row) {
  float factors[kGroup];
  for (int64_t column = 0; column < count; column += kGroup) {
    group_factors(factors, static_cast<uint32_t>(column / kGroup), row);
    const int64_t width = std::min<int64_t>(kGroup, count - column);
    for (int64_t c = 0; c < width; ++c)
      out[column + c] = residual[column + c] + x[column + c] * factors[c];
  }
}

// The factors [T, D] by tensor operations, for devices without a kernel and for doubles: the same bits.
Tensor factor_tensor(const Tensor& like, const DropoutMask& mask) {
  const auto host = at::TensorOptions().dtype(at::kFloat);
  const int64_t rows = like.size(0), width = like.size(1);
  const Tensor factors = at::empty({rows, width}, host);
  const Tensor example = mask.example.to(at::kCPU), token = mask.token.to(at::kCPU);
  for (int64_t r = 0; r < rows; ++r)
    mask_row(factors.data_ptr<float>() + r * width, width, mask.key,
             static_cast<uint32_t>(token.data_ptr<int64_t>()[r]),
             static_cast<uint32_t>(example.data_ptr<int64_t>()[r]), mask.step, mask.threshold(),
             mask.scale());
  return factors.to(like.options());
}

bool has_kernel(const Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

template <class RowKernel>
void for_rows(const Tensor& x, const DropoutMask& mask, const RowKernel& kernel) {
  MOLT_CHECK(mask.example.numel() == x.size(0) && mask.token.numel() == x.size(0),
             "mask rows " + shape_text(mask.example) + " for " + shape_text(x));
  const int64_t* example = mask.example.data_ptr<int64_t>();
  const int64_t* token = mask.token.data_ptr<int64_t>();
  const uint32_t threshold = mask.threshold();
  const float scale = mask.scale();
  at::parallel_for(0, x.size(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      kernel(r, Row{mask.key, static_cast<uint32_t>(token[r]), static_cast<uint32_t>(example[r]),
                    mask.step, threshold, scale});
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
  uint64_t z = key * 0xD1342543DE82EF95ull + word + 0x9E3779B97F4A7C15ull;  // then SplitMix64's finaliser
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
  philox_lanes(c, static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32));
  return {{c.word[0][0], c.word[1][0], c.word[2][0], c.word[3][0]}};
}

namespace {

// 64 random bits of a stream: counter words 2 and 3 tell these draws from masks.
uint64_t bits(RandomKey key, uint64_t counter) {
  const PhiloxBlock block = philox(key, static_cast<uint32_t>(counter),
                                   static_cast<uint32_t>(counter >> 32), 0xFFFFFFFFu, 0xFFFFFFFFu);
  return (uint64_t{block.word[1]} << 32) | block.word[0];
}

}  // namespace

double uniform_draw(RandomKey key, uint64_t counter) {
  return static_cast<double>(bits(key, counter) >> 11) * 0x1.0p-53;
}

uint64_t integer_draw(RandomKey key, uint64_t counter, uint64_t bound) {
  MOLT_CHECK(bound > 0, "bound 0");
  // Multiply-shift: the bias is below bound / 2^64.
  return static_cast<uint64_t>((static_cast<unsigned __int128>(bits(key, counter)) * bound) >> 64);
}

std::vector<int64_t> permutation(RandomKey key, int64_t count) {
  std::vector<int64_t> out(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) out[i] = i;
  for (int64_t i = count - 1; i > 0; --i)
    std::swap(out[i], out[integer_draw(key, static_cast<uint64_t>(i), static_cast<uint64_t>(i) + 1)]);
  return out;
}

Tensor normal_tensor(at::IntArrayRef shape, double deviation, RandomKey key) {
  const Tensor out = at::empty(shape, at::kFloat);
  float* data = out.data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); i += 2) {  // Box-Muller, a pair of draws for a pair of elements
    const double u = 1.0 - uniform_draw(key, static_cast<uint64_t>(i));
    const double angle = 2 * std::numbers::pi * uniform_draw(key, static_cast<uint64_t>(i) + 1);
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
    data[i] = static_cast<float>(low + (high - low) * uniform_draw(key, static_cast<uint64_t>(i)));
  return out;
}

uint32_t DropoutMask::threshold() const {
  return static_cast<uint32_t>(std::lround(probability * 65536.0));
}

float DropoutMask::scale() const { return 65536.0f / static_cast<float>(65536u - threshold()); }

void mask_row(float* factors, int64_t count, RandomKey key, uint32_t token, uint32_t example,
              uint32_t step, uint32_t threshold, float scale) {
  fill_factors(factors, count, Row{key, token, example, step, threshold, scale});
}

Tensor apply_mask(const Tensor& x, const DropoutMask& mask) {
  if (!mask.active()) return x;
  if (!has_kernel(x)) return x * factor_tensor(x, mask);
  const Tensor in = x.contiguous();
  Tensor out = at::empty_like(in);
  const int64_t width = in.size(1);
  const float* from = in.data_ptr<float>();
  float* to = out.data_ptr<float>();
  for_rows(in, mask, [&](int64_t r, const Row& row) {
    multiply_row(to + r * width, from + r * width, width, row);
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
  for_rows(in, mask, [&](int64_t r, const Row& row) {
    multiply_add_row(to + r * width, from + r * width, add + r * width, width, row);
  });
  return out;
}

Tensor dropout(const Tensor& x, const DropoutMask& mask) {
  return mask.active() ? Dropout::apply(x, mask) : x;
}

}  // namespace molt
