#include "nn/language_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

constexpr int64_t kRows = 11, kWidth = 6, kVocabulary = 13;

struct LossCase {
  Tensor z = draw({kRows, kWidth}, 1.0, "z").to(at::kDouble).requires_grad_(true);
  Tensor weight = draw({kVocabulary, kWidth}, 0.8, "weight").to(at::kDouble).requires_grad_(true);
  Tensor targets = at::arange(kRows, at::kLong).mul(5).remainder(kVocabulary);
};

// The loss from the full logits, with libtorch's own operations.
Tensor plain(const LossCase& c, double smoothing, double cap) {
  Tensor logits = at::mm(c.z, c.weight.t());
  if (cap > 0) logits = at::tanh(logits / cap) * cap;
  return at::cross_entropy_loss(logits, c.targets, {}, at::Reduction::Sum, -100, smoothing);
}

void compare(double smoothing, double cap, int64_t chunk) {
  SCOPED_TRACE("smoothing " + std::to_string(smoothing) + " cap " + std::to_string(cap) +
               " chunk " + std::to_string(chunk));
  LossCase ours, theirs;
  const Tensor loss = language_loss_sum(ours.z, {ours.weight, cap}, ours.targets,
                                        {.smoothing = smoothing, .chunk = chunk});
  const Tensor expected = plain(theirs, smoothing, cap);
  EXPECT_CLOSE(loss, expected, tight(expected));
  torch::autograd::backward({loss * 0.5}, {});
  torch::autograd::backward({expected * 0.5}, {});
  EXPECT_CLOSE(ours.z.grad(), theirs.z.grad(), 1e-10);
  EXPECT_CLOSE(ours.weight.grad(), theirs.weight.grad(), 1e-10);
}

TEST(LanguageLoss, EqualsPlainCrossEntropyAndItsGradients) {
  for (const double smoothing : {0.0, 0.1})
    for (const double cap : {0.0, 3.0})
      for (const int64_t chunk : {0, 1, 4, 11}) compare(smoothing, cap, chunk);
}

TEST(LanguageLoss, AgreesWithNumbersWorkedByHand) {
  // Logits (0, ln 3) and (0, 0): p = (1/4, 3/4) and (1/2, 1/2); targets 1 and 0.
  const Tensor z = at::tensor({std::log(3.0), 0.0}, at::kFloat).view({2, 1});
  const Tensor weight = at::tensor({0.0, 1.0}, at::kFloat).view({2, 1});
  const Tensor targets = at::tensor({1, 0}, at::kLong);
  EXPECT_NEAR(language_loss_sum(z, {weight}, targets).item<double>(),
              -std::log(0.75) - std::log(0.5), 1e-6);
  const TokenScores scores = score_tokens(z, {weight}, targets);
  EXPECT_NEAR(scores.log_probability[0].item<double>(), std::log(0.75), 1e-6);
  EXPECT_TRUE(scores.is_best[0].item<bool>());
}

TEST(LanguageLoss, AFrozenHeadGetsNoGradient) {
  LossCase c;
  const Tensor frozen = c.weight.detach();
  torch::autograd::backward({language_loss_sum(c.z, {frozen}, c.targets)}, {});
  EXPECT_TRUE(c.z.grad().defined());
  EXPECT_FALSE(frozen.grad().defined());
}

TEST(LanguageLoss, WithoutRowsIsZeroWithZeroGradients) {
  LossCase c;
  const Tensor loss = language_loss_sum(c.z.narrow(0, 0, 0), {c.weight}, c.targets.narrow(0, 0, 0));
  EXPECT_EQ(loss.item<double>(), 0);
  torch::autograd::backward({loss}, {});
  EXPECT_EQ(c.weight.grad().abs().max().item<double>(), 0);
}

TEST(ScoreTokens, DoesNotDependOnTheChunk) {
  const LossCase c;
  const TokenScores whole = score_tokens(c.z, {c.weight, 3.0}, c.targets);
  const TokenScores single = score_tokens(c.z, {c.weight, 3.0}, c.targets, 1);
  EXPECT_CLOSE(whole.log_probability, single.log_probability, 1e-10);
  EXPECT_SAME(whole.is_best, single.is_best);
  EXPECT_NEAR(-whole.log_probability.sum().item<double>(), plain(c, 0, 3.0).item<double>(), 1e-8);
}

TEST(CandidateLogits, AreColumnsOfTheLogits) {
  const LossCase c;
  const Tensor ids = at::tensor({7, 2}, at::kLong);
  const Tensor all = at::tanh(at::mm(c.z, c.weight.t()) / 3.0) * 3.0;
  EXPECT_CLOSE(candidate_logits(c.z, {c.weight, 3.0}, ids), all.index_select(1, ids), 1e-10);
}

TEST(LanguageChunk, HoldsAChunksLogitsNear32Megabytes) {
  EXPECT_EQ(language_chunk(32768), 256);
  EXPECT_EQ(language_chunk(100), 2048);
  EXPECT_EQ(language_chunk(1 << 20), 64);
}

}  // namespace
}  // namespace mixtune::test
