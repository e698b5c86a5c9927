#include "train/loss.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mixtune {
namespace {

TEST(CrossEntropySum, IsTheSumOverSequences) {
  const Tensor logits = at::tensor({0.0, std::log(3.0), 0.0, 0.0}).view({2, 2});
  // p = (1/4, 3/4) and (1/2, 1/2); targets 1 and 0.
  const Tensor loss = cross_entropy_sum(logits, at::tensor({1, 0}, at::kLong));
  EXPECT_NEAR(loss.item<double>(), -std::log(0.75) - std::log(0.5), 1e-6);
}

TEST(CrossEntropySum, SpreadsSmoothingOverAllClasses) {
  const Tensor logits = at::tensor({0.0, std::log(3.0)}).view({1, 2});
  const double expected = 0.8 * -std::log(0.75) + 0.2 * 0.5 * (-std::log(0.25) - std::log(0.75));
  EXPECT_NEAR(cross_entropy_sum(logits, at::tensor({1}, at::kLong), 0.2).item<double>(), expected,
              1e-6);
}

TEST(CrossEntropySum, IgnoresUnlabeledSequences) {
  const Tensor logits = at::tensor({5.0, -1.0, 0.0, 0.0}).view({2, 2});
  const Tensor loss =
      cross_entropy_sum(logits, at::tensor({kIgnoredTarget, int64_t{0}}, at::kLong), 0.1);
  EXPECT_NEAR(loss.item<double>(), std::log(2.0), 1e-6);
}

TEST(SquaredErrorSum, AgreesWithNumbersWorkedByHand) {
  EXPECT_EQ(squared_error_sum(at::tensor({1.0, 4.0}), at::tensor({3.0, 1.0})).item<double>(), 13);
}

}  // namespace
}  // namespace mixtune
