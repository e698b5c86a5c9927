#include "tensor/packed_weight.h"

#include <gtest/gtest.h>

#include "tensor/random.h"

namespace mixtune {
namespace {

Tensor random_tensor(std::initializer_list<int64_t> shape, const char* name) {
  return normal_tensor(shape, 1, derive(1, name));
}

// Compares with a product in double precision.
void expect_product(const Tensor& weight, const Tensor& x, const Tensor& bias) {
  const Tensor y = PackedWeight(weight).multiply(x, bias);
  Tensor exact = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());
  if (bias.defined()) exact = exact + bias.to(at::kDouble);
  ASSERT_EQ(y.sizes(), exact.sizes());
  EXPECT_LT((y.to(at::kDouble) - exact).abs().max().item<double>(),
            1e-6 * static_cast<double>(x.size(1)))
      << shape_text(x) << " and " << shape_text(weight);
}

TEST(PackedWeight, MultipliesAnyNumberOfRowsAndOutputs) {
  for (const int64_t outputs : {1, 16, 31, 32, 33, 96})
    for (const int64_t width : {1, 7, 64})
      for (const int64_t rows : {1, 2, 3, 4, 7, 8, 11, 19}) {
        const Tensor weight = random_tensor({outputs, width}, "weight"),
                     x = random_tensor({rows, width}, "x");
        expect_product(weight, x, random_tensor({outputs}, "bias"));
        expect_product(weight.to(at::kBFloat16).to(at::kFloat), x, Tensor());
      }
}

TEST(PackedWeight, UsesBfloat16OnlyIfItIsExact) {
  Tensor weight = random_tensor({40, 24}, "weight").to(at::kBFloat16).to(at::kFloat);
  EXPECT_TRUE(PackedWeight(weight).is_bfloat16());
  EXPECT_EQ(PackedWeight(weight).bytes(), 64 * 24 * 2);
  weight[39][23] += 1e-4;
  EXPECT_FALSE(PackedWeight(weight).is_bfloat16());
  EXPECT_EQ(PackedWeight(weight).bytes(), 64 * 24 * 4);
  expect_product(weight, random_tensor({5, 24}, "x"), Tensor());
}

TEST(PackedWeight, ResultOfARowDoesNotDependOnOtherRows) {
  const PackedWeight packed(random_tensor({70, 50}, "weight"));
  const Tensor x = random_tensor({13, 50}, "x"), all = packed.multiply(x, Tensor());
  for (int64_t row = 0; row < x.size(0); ++row)
    EXPECT_TRUE(packed.multiply(x.narrow(0, row, 1), Tensor()).equal(all.narrow(0, row, 1)));
}

TEST(PackedWeight, ReadsRowsWithAStride) {
  const Tensor wide = random_tensor({6, 40}, "x"), weight = random_tensor({33, 16}, "weight");
  expect_product(weight, wide.narrow(1, 8, 16), Tensor());
}

TEST(PackedWeight, TakesFloatMatricesOnTheCpu) {
  EXPECT_TRUE(PackedWeight::takes(at::zeros({2, 2})));
  EXPECT_FALSE(PackedWeight::takes(at::zeros({2, 2}, at::kDouble)));
  EXPECT_FALSE(PackedWeight::takes(at::zeros({2, 2}, at::TensorOptions().device(at::kMeta))));
}

}  // namespace
}  // namespace mixtune
