// Conversions between float and the two 16-bit float formats, one value at a time, including
// subnormals, infinities and NaNs. Conversion to 16 bits rounds to nearest, ties to even. Tested
// against the compiler's own half type.
#pragma once

#include <bit>
#include <cstdint>

namespace mixtune {

inline float float_from_bf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

inline uint16_t bf16_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  // Rounding up could turn a NaN into an infinity or a zero.
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>(bits >> 16 | 0x0040u);
  const uint32_t is_odd = bits >> 16 & 1u;
  return static_cast<uint16_t>((bits + 0x7FFFu + is_odd) >> 16);
}

inline float float_from_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = bits >> 10 & 0x1Fu;
  const uint32_t mantissa = bits & 0x3FFu;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000u | mantissa << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // subnormal, exact in float
  return sign != 0 ? -magnitude : magnitude;
}

inline uint16_t f16_from_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u)  // NaN: keep it one
    return static_cast<uint16_t>(sign | 0x7E00u | (magnitude >> 13 & 0x1FFu));
  if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7C00u);  // 65536 and above
  if (magnitude >= 0x38800000u) {  // 2^-14 and above: a normal number, or rounded up to infinity
    const uint32_t is_odd = magnitude >> 13 & 1u;
    return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0x0FFFu + is_odd) >> 13));
  }
  if (magnitude < 0x33000000u) return sign;        // below 2^-25, half of the smallest subnormal
  const uint32_t shift = 126 - (magnitude >> 23);  // 14 to 24
  const uint32_t mantissa = (magnitude & 0x7FFFFFu) | 0x800000u;
  const uint32_t kept = mantissa >> shift;
  const uint32_t rest = mantissa & ((1u << shift) - 1);
  const uint32_t half = 1u << (shift - 1);
  const bool rounds_up = rest > half || (rest == half && (kept & 1u) != 0);
  return static_cast<uint16_t>(sign | (kept + (rounds_up ? 1 : 0)));
}

}  // namespace mixtune
