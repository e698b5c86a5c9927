// The exponential as an inline function without a library call, so that the compiler can vectorize
// loops over it.
#pragma once

#include <cstdint>

namespace mixtune {

// e^x for x <= 0, to 2 units in the last place: 2^k times a polynomial on [-ln 2 / 2, ln 2 / 2].
__attribute__((always_inline)) inline float exp_of(float x) {
  x = x < -87.0f ? -87.0f : x;
  constexpr float kRound =
      12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer without a call
  const float k = (x * 1.44269504f + kRound) - kRound;
  float r = x - k * 0.693359375f;
  r = r + k * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(k) + 127) << 23;
  return p * __builtin_bit_cast(float, bits);
}

// 1 / (1 + e^-x).
__attribute__((always_inline)) inline float sigmoid_of(float x) {
  const float e = exp_of(x < 0.0f ? x : -x);  // of -|x|
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

}  // namespace mixtune
