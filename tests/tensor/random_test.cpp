#include "tensor/random.h"

#include <gtest/gtest.h>

#include <set>

namespace mixtune {
namespace {

RandomKey key_of(uint32_t low, uint32_t high) {
  return (uint64_t{high} << 32) | low;
}

void expect_block(const PhiloxBlock& block, std::array<uint32_t, 4> expected) {
  for (int i = 0; i < 4; ++i) EXPECT_EQ(block.word[i], expected[i]) << "word " << i;
}

// Known answers published by Random123 for philox4x32-10.
TEST(Philox, GivesThePublishedKnownAnswers) {
  expect_block(philox(0, 0, 0, 0, 0), {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const uint32_t f = 0xffffffff;
  expect_block(philox(key_of(f, f), f, f, f, f), {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  expect_block(
      philox(key_of(0xa4093822, 0x299f31d0), 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344),
      {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

DropoutMask mask_of(int64_t rows, double probability, int64_t first_token = 0) {
  return {probability, 42, 7, at::full({rows}, 3, at::kLong),
          at::arange(first_token, first_token + rows)};
}

// The definition of mask_kernel.inc, one column at a time.
float factor_by_definition(const DropoutMask& m, uint32_t token, int64_t column) {
  const uint32_t group = static_cast<uint32_t>(column / 64), lane = column % 8,
                 half = column / 8 % 8;
  const PhiloxBlock block = philox(m.key, group * 8 + lane, token, 3, m.step);
  const uint32_t decision = (block.word[half / 2] >> (16 * (half % 2))) & 0xFFFF;
  return decision < m.threshold() ? 0 : m.scale();
}

TEST(DropoutMask, FollowsItsDefinitionAtEveryColumn) {
  const DropoutMask mask = mask_of(5, 0.3);
  const Tensor y = apply_mask(at::ones({5, 150}), mask);
  for (int64_t r = 0; r < 5; ++r)
    for (int64_t c = 0; c < 150; ++c)
      ASSERT_EQ(y[r][c].item<float>(), factor_by_definition(mask, static_cast<uint32_t>(r), c));
}

TEST(DropoutMask, DropsTheGivenShareAndKeepsTheMean) {
  const Tensor y = apply_mask(at::ones({400, 384}), mask_of(400, 0.1));
  EXPECT_NEAR(y.eq(0).to(at::kDouble).mean().item<double>(), 0.1, 0.003);
  EXPECT_NEAR(y.to(at::kDouble).mean().item<double>(), 1.0, 0.004);
}

TEST(DropoutMask, DoesNotDependOnWhereARowIsPacked) {
  const Tensor x = at::randn({6, 70});
  const Tensor whole = apply_mask(x, mask_of(6, 0.5));
  const Tensor tail = apply_mask(x.narrow(0, 2, 4), mask_of(4, 0.5, 2));
  EXPECT_TRUE(at::equal(whole.narrow(0, 2, 4), tail));
}

TEST(DropoutMask, IsTheSameForDoublesAndForTheFusedAddition) {
  const Tensor x = at::randn({4, 65}), residual = at::randn({4, 65});
  const DropoutMask mask = mask_of(4, 0.2);
  EXPECT_TRUE(
      at::allclose(apply_mask(x.to(at::kDouble), mask), apply_mask(x, mask).to(at::kDouble)));
  EXPECT_TRUE(at::equal(apply_mask_add(x, residual, mask), apply_mask(x, mask) + residual));
}

TEST(DropoutMask, IsBitwiseEqualWithEveryInstructionSet) {
  const Tensor x = at::randn({5, 203}), residual = at::randn({5, 203});
  const DropoutMask mask = mask_of(5, 0.3);
  const std::string in_use = mask_kernel_names().front();
  const Tensor product = apply_mask(x, mask), sum = apply_mask_add(x, residual, mask);
  for (const std::string& name : mask_kernel_names()) {
    use_mask_kernels(name);
    EXPECT_TRUE(at::equal(apply_mask(x, mask), product)) << name;
    EXPECT_TRUE(at::equal(apply_mask_add(x, residual, mask), sum)) << name;
    for (int64_t c = 0; c < 203; ++c)
      ASSERT_EQ(apply_mask(at::ones({5, 203}), mask)[1][c].item<float>(),
                factor_by_definition(mask, 1, c))
          << name;
  }
  use_mask_kernels(in_use);
}

TEST(Dropout, BackwardUsesTheSameMask) {
  const Tensor x = at::randn({4, 65}).requires_grad_(true);
  const DropoutMask mask = mask_of(4, 0.4);
  dropout(x, mask).sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), apply_mask(at::ones({4, 65}), mask)));
}

TEST(Permutation, ContainsEveryNumberOnceAndDependsOnTheKey) {
  const auto a = permutation(derive(1, uint64_t{0}), 100),
             b = permutation(derive(1, uint64_t{1}), 100);
  EXPECT_EQ(std::set<int64_t>(a.begin(), a.end()).size(), 100u);
  EXPECT_NE(a, b);
  EXPECT_EQ(a, permutation(derive(1, uint64_t{0}), 100));
}

TEST(InitialValues, HaveTheGivenMoments) {
  const Tensor normal = normal_tensor({200, 300}, 0.02, 5).to(at::kDouble);
  EXPECT_NEAR(normal.mean().item<double>(), 0, 5e-4);
  EXPECT_NEAR(normal.std().item<double>(), 0.02, 2e-4);
  const Tensor uniform = uniform_tensor({200, 300}, -0.5, 0.5, 6).to(at::kDouble);
  EXPECT_NEAR(uniform.std().item<double>(), 1 / std::sqrt(12.0), 2e-3);
  EXPECT_LT(uniform.max().item<double>(), 0.5);
}

}  // namespace
}  // namespace mixtune
