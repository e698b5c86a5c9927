#include "files/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace mixtune {
namespace {

float half_by_compiler(uint16_t bits) {
  return static_cast<float>(std::bit_cast<_Float16>(bits));
}
uint16_t bits_by_compiler(float value) {
  return std::bit_cast<uint16_t>(static_cast<_Float16>(value));
}

TEST(Float16, ToFloatEqualsTheCompilersHalfForAllValues) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const float ours = float_from_f16(static_cast<uint16_t>(bits));
    const float theirs = half_by_compiler(static_cast<uint16_t>(bits));
    if (std::isnan(theirs))
      EXPECT_TRUE(std::isnan(ours)) << bits;
    else
      EXPECT_EQ(std::bit_cast<uint32_t>(ours), std::bit_cast<uint32_t>(theirs)) << bits;
  }
}

TEST(Float16, FromFloatEqualsTheCompilersHalf) {
  // Every half, every midpoint between two halves, and the adjacent floats; then values of all
  // exponents.
  const auto check = [](float value) {
    if (std::isnan(value)) return;
    ASSERT_EQ(f16_from_float(value), bits_by_compiler(value)) << std::hexfloat << value;
  };
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const float value = float_from_f16(static_cast<uint16_t>(bits));
    const float next =
        bits + 1 < 0x7C00 ? float_from_f16(static_cast<uint16_t>(bits + 1)) : 65536.0f;
    const float middle = (value + next) / 2;
    for (float sign : {1.0f, -1.0f})
      for (float x :
           {value, middle, std::nextafter(middle, 0.0f), std::nextafter(middle, INFINITY)})
        check(sign * x);
  }
  for (uint64_t bits = 0; bits <= 0xFFFFFFFFu; bits += 4099)
    check(std::bit_cast<float>(static_cast<uint32_t>(bits)));
}

TEST(Float16, KeepsInfinitiesAndNans) {
  EXPECT_EQ(f16_from_float(INFINITY), 0x7C00);
  EXPECT_EQ(f16_from_float(-INFINITY), 0xFC00);
  EXPECT_TRUE(std::isnan(float_from_f16(f16_from_float(NAN))));
  EXPECT_TRUE(std::isnan(float_from_f16(f16_from_float(std::bit_cast<float>(0x7F800001u)))));
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(bf16_from_float(1.0f), 0x3F80);
  EXPECT_EQ(bf16_from_float(std::bit_cast<float>(0x3F808000u)), 0x3F80);  // tie, to even
  EXPECT_EQ(bf16_from_float(std::bit_cast<float>(0x3F818000u)), 0x3F82);  // tie, to even
  EXPECT_EQ(bf16_from_float(std::bit_cast<float>(0x3F808001u)), 0x3F81);
  EXPECT_EQ(bf16_from_float(std::bit_cast<float>(0x3F807FFFu)), 0x3F80);
  EXPECT_EQ(bf16_from_float(std::numeric_limits<float>::max()), 0x7F80);  // rounds up to infinity
  EXPECT_EQ(bf16_from_float(std::bit_cast<float>(0x00008000u)), 0x0000);  // a subnormal tie
  EXPECT_EQ(bf16_from_float(std::bit_cast<float>(0x80018000u)), 0x8002);
}

TEST(BFloat16, SurvivesARoundTripForAllValues) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const float value = float_from_bf16(static_cast<uint16_t>(bits));
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(float_from_bf16(bf16_from_float(value))));
    else
      EXPECT_EQ(bf16_from_float(value), bits);
  }
  EXPECT_TRUE(std::isnan(float_from_bf16(bf16_from_float(std::bit_cast<float>(0x7FFFFFFFu)))));
  EXPECT_TRUE(std::isnan(float_from_bf16(bf16_from_float(std::bit_cast<float>(0x7F800001u)))));
}

}  // namespace
}  // namespace mixtune
