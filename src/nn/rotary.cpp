// Legend: T tokens, d width of a head, H rotated heads, C columns.
#include "nn/rotary.h"

#include <cmath>
#include <numbers>

#include "tensor/clones.h"

namespace mixtune {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

// `direction` is 1 to rotate, -1 to rotate back.
MIXTUNE_CLONES void turn(float* __restrict out, const float* __restrict x,
                         const float* __restrict cosine, const float* __restrict sine, int64_t half,
                         float direction) {
#pragma omp simd
  for (int64_t j = 0; j < half; ++j) {
    const float c = cosine[j], s = direction * sine[j];
    out[j] = x[j] * c - x[j + half] * s;
    out[j + half] = x[j + half] * c + x[j] * s;
  }
}

Tensor turn_heads(const Tensor& x, const Tensor& cosine, const Tensor& sine, int64_t heads,
                  float direction) {
  const int64_t half = cosine.size(1), columns = x.size(1), turned = heads * 2 * half;
  const Tensor out = at::empty_like(x);
  const float *from = x.const_data_ptr<float>(), *c = cosine.const_data_ptr<float>(),
              *s = sine.const_data_ptr<float>();
  float* to = out.data_ptr<float>();
  at::parallel_for(0, x.size(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      for (int64_t h = 0; h < heads; ++h)
        turn(to + r * columns + h * 2 * half, from + r * columns + h * 2 * half, c + r * half,
             s + r * half, half, direction);
      std::copy_n(from + r * columns + turned, columns - turned, to + r * columns + turned);
    }
  });
  return out;
}

class TurnHeads : public torch::autograd::Function<TurnHeads> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& cosine,
                        const Tensor& sine, int64_t heads) {
    ctx->save_for_backward({cosine, sine});
    ctx->saved_data["heads"] = heads;
    return turn_heads(x, cosine, sine, heads, 1);
  }
  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    return {turn_heads(gradients[0].contiguous(), saved[0], saved[1],
                       ctx->saved_data["heads"].toInt(), -1),
            Tensor(), Tensor(), Tensor()};
  }
};

Tensor composed(const Tensor& x, const Tensor& cosine, const Tensor& sine, int64_t heads) {
  const int64_t half = cosine.size(1), turned = heads * 2 * half;
  const Tensor parts = x.narrow(1, 0, turned).reshape({x.size(0), heads, 2, half});
  const Tensor a = parts.select(2, 0), b = parts.select(2, 1);  // [T, H, d / 2]
  const Tensor c = cosine.unsqueeze(1).to(x.options()), s = sine.unsqueeze(1).to(x.options());
  const Tensor out = at::stack({a * c - b * s, b * c + a * s}, 2).reshape({x.size(0), turned});
  return at::cat({out, x.narrow(1, turned, x.size(1) - turned)}, 1);
}

// base^(2 j / d) for j in [0, d / 2).
Tensor wave_lengths(double base, int64_t width) {
  const Tensor exponent = at::arange(0, width, 2, at::kLong).to(at::kFloat) / width;
  return at::pow(base, exponent);
}

// The column whose frequency makes `turns` turns over the original positions (YaRN, section 3.2).
double correction(double turns, const RotarySettings& s) {
  return static_cast<double>(s.width) *
         std::log(static_cast<double>(s.original_positions) / (turns * kTurn)) /
         (2 * std::log(s.base));
}

Tensor yarn(const RotarySettings& s) {
  double low = correction(s.beta_fast, s), high = correction(s.beta_slow, s);
  if (s.truncates) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(s.width - 1));
  if (low == high) high += 0.001;
  const Tensor ramp = ((at::arange(s.width / 2, at::kFloat) - low) / (high - low)).clamp(0, 1);
  const Tensor waves = wave_lengths(s.base, s.width), keeps = 1 - ramp;
  return (1 / (s.factor * waves)) * (1 - keeps) + (1 / waves) * keeps;
}

Tensor llama3(const RotarySettings& s) {
  const auto original = static_cast<double>(s.original_positions);
  const Tensor plain = 1 / wave_lengths(s.base, s.width), wave = kTurn / plain;
  const Tensor smooth = (original / wave - s.low_frequency) / (s.high_frequency - s.low_frequency);
  const Tensor between = (1 - smooth) * plain / s.factor + smooth * plain;
  const Tensor slow = wave > original / s.low_frequency, fast = wave < original / s.high_frequency;
  return at::where(slow, plain / s.factor, at::where(fast, plain, between));
}

}  // namespace

Tensor rotary_frequencies(const RotarySettings& s, int64_t length) {
  switch (s.kind) {
    case RotarySettings::Kind::plain:
      return 1 / wave_lengths(s.base, s.width);
    case RotarySettings::Kind::linear:
      return 1 / wave_lengths(s.base, s.width) / s.factor;
    case RotarySettings::Kind::dynamic: {
      const auto positions = static_cast<double>(s.positions), width = static_cast<double>(s.width);
      const double longest = std::max(static_cast<double>(length), positions);
      const double base =
          s.base * std::pow(s.factor * longest / positions - (s.factor - 1), width / (width - 2));
      return 1 / wave_lengths(base, s.width);
    }
    case RotarySettings::Kind::yarn:
      return yarn(s);
    case RotarySettings::Kind::llama3:
      return llama3(s);
  }
  throw BugError("rotary kind");
}

double rotary_amplitude(const RotarySettings& s) {
  if (s.kind != RotarySettings::Kind::yarn) return 1;
  if (s.attention_factor) return *s.attention_factor;
  const auto scale = [&](double m) { return s.factor <= 1 ? 1 : 0.1 * m * std::log(s.factor) + 1; };
  if (s.mscale.value_or(0) != 0 && s.mscale_all.value_or(0) != 0)
    return scale(*s.mscale) / scale(*s.mscale_all);
  return scale(1);
}

const Rotary::Table& Rotary::table(int64_t length) {
  const bool stretches =
      settings_.kind == RotarySettings::Kind::dynamic && length > settings_.positions;
  Table& found = tables_[stretches ? length : 0];
  if (found.cosine.defined() && found.cosine.size(0) >= length) return found;
  const at::NoGradGuard no_grad;
  int64_t positions = 64;
  while (positions < length) positions *= 2;
  const Tensor angles =
      at::outer(at::arange(positions, at::kFloat), rotary_frequencies(settings_, length));
  const double amplitude = rotary_amplitude(settings_);
  found = {angles.cos() * amplitude, angles.sin() * amplitude};
  return found;
}

Tensor Rotary::forward(const Tensor& x, int64_t heads, const SequenceLayout& rows,
                       const SequenceLayout& whole) {
  MIXTUNE_CHECK(x.size(0) == rows.tokens() && rows.sequences() == whole.sequences(), shape_text(x));
  int64_t longest = 1;
  for (int64_t s = 0; s < whole.sequences(); ++s) longest = std::max(longest, whole.length(s));
  Tensor cosine, sine;  // [T, d / 2]
  const Tensor token = rows.token.to(at::kCPU);
  // With a key-value cache the positions go beyond the number of new rows.
  if (token.numel() > 0) longest = std::max(longest, token.max().item<int64_t>() + 1);
  if (settings_.kind == RotarySettings::Kind::dynamic && longest > settings_.positions) {
    std::vector<Tensor> cosines, sines;
    for (int64_t s = 0; s < rows.sequences(); ++s) {
      const Table& of = table(whole.length(s));
      const Tensor index = token.narrow(0, rows.offsets[s], rows.length(s));
      cosines.push_back(of.cosine.index_select(0, index));
      sines.push_back(of.sine.index_select(0, index));
    }
    cosine = at::cat(cosines, 0);
    sine = at::cat(sines, 0);
  } else {
    const Table& of = table(longest);
    cosine = of.cosine.index_select(0, token);
    sine = of.sine.index_select(0, token);
  }
  if (x.is_cpu() && x.scalar_type() == at::kFloat)
    return TurnHeads::apply(x.contiguous(), cosine, sine, heads);
  return composed(x, cosine.to(x.device()), sine.to(x.device()), heads);
}

}  // namespace mixtune
