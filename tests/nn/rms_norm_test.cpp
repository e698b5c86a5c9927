#include "nn/rms_norm.h"

#include <cmath>

#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

// x = (3, 4): mean square 12.5.
TEST(RmsNorm, DividesByTheRootOfTheMeanSquare) {
  RmsNorm norm("norm", 2, 0, 0, at::kFloat);
  const double r = std::sqrt(12.5);
  EXPECT_CLOSE(norm.forward(at::tensor({3.f, 4.f}).view({1, 2})),
               at::tensor({float(3 / r), float(4 / r)}).view({1, 2}), 1e-6);
  EXPECT_EQ(RmsNorm("norm", 2, 0, 1, at::kFloat).weight.sum().item<float>(), 0);
}

TEST(RmsNorm, EqualsItsCompositionGradientsIncluded) {
  for (const double offset : {0.0, 1.0}) {
    const auto run = [&](at::ScalarType type) {
      RmsNorm norm("norm", 6, 1e-5, offset, type);
      norm.weight.add_(draw({6}, 0.3, "weight").to(type)).requires_grad_(true);
      const Tensor x = draw({5, 12}, 1, "x").to(type).requires_grad_(true);  // two groups
      const Tensor y = norm.forward(x);
      (y * draw({5, 12}, 1, "weights").to(type)).sum().backward();
      return std::array{y.detach().to(at::kFloat), x.grad().to(at::kFloat),
                        norm.weight.grad().to(at::kFloat)};
    };
    const auto one = run(at::kFloat), other = run(at::kDouble);
    for (size_t i = 0; i < one.size(); ++i)
      EXPECT_CLOSE(one[i], other[i], float_rounding(other[i], 16));
  }
}

TEST(Swiglu, EqualsItsCompositionGradientsIncluded) {
  const auto run = [](at::ScalarType type) {
    const Tensor y = (4 * draw({7, 20}, 1, "y")).to(type).requires_grad_(true);
    const Tensor out = swiglu(y);
    (out * draw({7, 10}, 1, "weights").to(type)).sum().backward();
    return std::pair(out.detach().to(at::kFloat), y.grad().to(at::kFloat));
  };
  const auto [out, dy] = run(at::kFloat);
  const auto [expected, expected_dy] = run(at::kDouble);
  EXPECT_CLOSE(out, expected, float_rounding(expected, 1));
  EXPECT_CLOSE(dy, expected_dy, float_rounding(expected_dy, 1));
}

}  // namespace
}  // namespace mixtune::test
