// The load-balancing loss alone; 20 and 21 of the verification tests of MoLEx's sheet. Legend: T
// tokens, L experts.
#include "moe/loss/balance.h"

#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

Tensor balance_of(const Tensor& probabilities, const std::vector<int64_t>& choice) {
  LossStatistics table;
  const BalanceLoss loss(probabilities.size(1), table);
  loss.accumulate(probabilities, choice, table);
  Reducer alone;
  return loss.finalize(table, alone);
}

// 20
TEST(BalanceLoss, IsOneForUniformProbabilitiesAndLForACertainChoice) {
  EXPECT_NEAR(balance_of(at::full({6, 4}, 0.25, at::kDouble), {2}).item<double>(), 1, 1e-12);
  EXPECT_NEAR(balance_of(at::one_hot(at::tensor({2, 2, 2}, at::kLong), 4).to(at::kDouble), {2})
                  .item<double>(),
              4, 1e-12);
}

// P = (0.7, 0.3) over two tokens (0.8, 0.2), (0.6, 0.4); f = (1/4, 3/4); l = 2 * (0.175 + 0.225) =
// 0.8.
TEST(BalanceLoss, IsLTimesTheProductOfFractionsAndMeanProbabilities) {
  const Tensor p = at::tensor({0.8, 0.2, 0.6, 0.4}, at::kDouble).view({2, 2});
  EXPECT_NEAR(balance_of(p, {1, 0, 1, 1}).item<double>(), 0.8, 1e-12);
}

// 21: with one decision j, d l / d s[n, i] = (L / T) p[n, j] (delta_ij - p[n, i]).
TEST(BalanceLoss, LogitGradientIsThatOfTheSheet) {
  const Tensor s = draw({5, 4}, 1, "s").to(at::kDouble).requires_grad_(true);
  const Tensor p = at::softmax(s, 1);
  const int64_t j = 2;
  balance_of(p, {j}).backward();
  const Tensor q = p.detach();
  Tensor delta = at::zeros({1, 4}, at::kDouble);
  delta[0][j] = 1;
  EXPECT_CLOSE(s.grad(), (4.0 / 5) * q.narrow(1, j, 1) * (delta - q), 1e-12);
}

// Micro-batches give the loss of the whole batch: sums are accumulated, then finalized once.
TEST(BalanceLoss, AccumulatedInTwoPartsEqualsTheWhole) {
  const Tensor p = at::softmax(draw({7, 3}, 1, "s").to(at::kDouble), 1);
  LossStatistics table;
  const BalanceLoss loss(3, table);
  loss.accumulate(p.narrow(0, 0, 2), {0}, table);
  loss.accumulate(p.narrow(0, 2, 5), {1, 1}, table);
  Reducer alone;
  EXPECT_CLOSE(loss.finalize(table, alone), balance_of(p, {0, 1, 1}), 1e-12);
}

}  // namespace
}  // namespace mixtune::test
