#include "nn/rotary.h"

#include <cmath>

#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

// One head of two columns at position p is rotated by p radians.
TEST(Rotary, RotatesAPairByItsPosition) {
  Rotary rotary(RotarySettings{.width = 2});
  const SequenceLayout rows = rows_of({3});
  const Tensor x = at::tensor({1.f, 0.f, 1.f, 0.f, 1.f, 0.f}).view({3, 2});
  const Tensor y = rotary.forward(x, 1, rows, rows);
  for (int64_t p = 0; p < 3; ++p) {
    EXPECT_NEAR(y[p][0].item<float>(), std::cos(p), 1e-6);
    EXPECT_NEAR(y[p][1].item<float>(), std::sin(p), 1e-6);
  }
}

TEST(Rotary, DoesNotChangeTheColumnsAfterItsHeads) {
  Rotary rotary(RotarySettings{.width = 4});
  const SequenceLayout rows = rows_of({2, 3});
  const Tensor x = draw({5, 12}, 1, "x");
  const Tensor y = rotary.forward(x, 2, rows, rows);
  EXPECT_SAME(y.narrow(1, 8, 4), x.narrow(1, 8, 4));
  EXPECT_FALSE(at::equal(y.narrow(1, 0, 8), x.narrow(1, 0, 8)));
}

// The float kernel against tensor operations in double precision, gradients included.
TEST(Rotary, EqualsItsCompositionGradientsIncluded) {
  for (const int64_t positions : {2, 64}) {  // dynamic: beyond its length and within
    const RotarySettings settings{
        .width = 4, .kind = RotarySettings::Kind::dynamic, .factor = 2, .positions = positions};
    const SequenceLayout rows = rows_of({3, 5});
    const auto run = [&](at::ScalarType type) {
      Rotary rotary(settings);
      const Tensor x = draw({8, 12}, 1, "x").to(type).requires_grad_(true);
      const Tensor y = rotary.forward(x, 2, rows, rows);
      (y * draw({8, 12}, 1, "weights").to(type)).sum().backward();
      return std::pair(y.detach().to(at::kFloat), x.grad().to(at::kFloat));
    };
    const auto [y, dx] = run(at::kFloat);
    const auto [expected, expected_dx] = run(at::kDouble);
    EXPECT_CLOSE(y, expected, float_rounding(expected, 2));
    EXPECT_CLOSE(dx, expected_dx, float_rounding(expected_dx, 2));
  }
}

// theta = 100, d = 4: plain frequencies 1 and 0.1.
TEST(Rotary, FrequenciesFollowTheirRules) {
  RotarySettings s{.width = 4, .base = 100};
  const auto frequencies = [&](int64_t length) { return rotary_frequencies(s, length); };
  EXPECT_CLOSE(frequencies(8), at::tensor({1.f, 0.1f}), 1e-6);
  s.factor = 4;
  s.kind = RotarySettings::Kind::linear;
  EXPECT_CLOSE(frequencies(8), at::tensor({0.25f, 0.025f}), 1e-6);
  // Twice the length: base 100 (4 * 2 - 3)^2 = 2500, so 1 / sqrt(2500).
  s.kind = RotarySettings::Kind::dynamic;
  s.positions = 8;
  EXPECT_CLOSE(frequencies(8), at::tensor({1.f, 0.1f}), 1e-6);
  EXPECT_CLOSE(frequencies(16), at::tensor({1.f, 0.02f}), 1e-6);
  // Wave lengths 6.28 and 62.8 for 40 positions, factors 1 and 4: fast below 10, slow above 40.
  s.kind = RotarySettings::Kind::llama3;
  s.original_positions = 40;
  EXPECT_CLOSE(frequencies(8), at::tensor({1.f, 0.025f}), 1e-6);
  // YaRN's 0.1 ln(factor) + 1.
  s.kind = RotarySettings::Kind::yarn;
  EXPECT_NEAR(rotary_amplitude(s), 0.1 * std::log(4) + 1, 1e-9);
  s.mscale = 2;
  s.mscale_all = 1;
  EXPECT_NEAR(rotary_amplitude(s), (0.2 * std::log(4) + 1) / (0.1 * std::log(4) + 1), 1e-9);
}

// YaRN (arXiv 2309.00071) for d = 16, theta = 10^4, 4,096 positions, factor 4, computed by an
// independent script. Plain frequencies are 10^(-j/2). The column with a given number of turns over
// the positions is c(turns) = d ln(4096 / (2 pi turns)) / (2 ln theta): c(32) = 2.618, c(1) =
// 5.628. Between these a ramp r interpolates from f_j to f_j / 4: f_j ((1 - r) + r / 4), r = (j -
// low) / (high - low) clamped to [0, 1], with bounds rounded outwards (2 and 6, so r = 1/4, 1/2,
// 3/4 for j = 3, 4, 5) unless truncates is off.
TEST(Rotary, YarnInterpolatesFromPlainToStretchedFrequencies) {
  RotarySettings s{
      .width = 16, .kind = RotarySettings::Kind::yarn, .factor = 4, .original_positions = 4096};
  const auto expect = [&](const std::vector<double>& expected) {
    const Tensor found = rotary_frequencies(s, 8);
    ASSERT_EQ(found.numel(), static_cast<int64_t>(expected.size()));
    for (size_t j = 0; j < expected.size(); ++j)
      EXPECT_NEAR(found[static_cast<int64_t>(j)].item<double>() / expected[j], 1, 1e-5) << j;
  };
  expect({1, .316227766, .1, .0256935060, .00625, .00138349648, .00025, 7.90569415e-5});
  s.truncates = false;
  expect({1, .316227766, .1, .0286136088, .00655697152, .00128563203, .00025, 7.90569415e-5});
}

}  // namespace
}  // namespace mixtune::test
