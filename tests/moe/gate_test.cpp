// The scores of gates; 23 of the verification tests of MoLEx's sheet.
#include "moe/gate/gate.h"

#include <cmath>

#include "support/routers.h"

namespace mixtune::test {
namespace {

constexpr int64_t kWidth = 6, kExperts = 4;

std::unique_ptr<Gate> make(const Choice& choice) {
  return make_gate(choice, {kWidth, kExperts, 0.02, at::kDouble}, 5);
}

Choice cosine(int64_t projection, bool over_sequence = false) {
  return choice_of(gate_choices(), "cosine",
                   {{"projection", std::to_string(projection)},
                    {"axis", over_sequence ? "sequence" : "feature"}});
}

Tensor* tensor(Gate& gate, const std::string& name) {
  for (auto& [known, pointer] : gate.tensors())
    if (known == name) return pointer;
  throw BugError("no " + name);
}

Tensor input(int64_t tokens) {
  return draw({tokens, kWidth}, 1, "x").to(at::kDouble);
}

TEST(LinearGate, IsAnAffineMap) {
  const auto gate = make(linear_gate());
  tensor(*gate, "weight")->copy_(at::eye(kExperts, kWidth, at::kDouble));
  tensor(*gate, "bias")->copy_(at::tensor({1., 2., 3., 4.}, at::kDouble));
  const Tensor x = at::tensor({10., 20., 30., 40., 50., 60.}, at::kDouble).view({1, 6});
  EXPECT_SAME(gate->forward(x, rows_of({1})),
              at::tensor({11., 22., 33., 44.}, at::kDouble).view({1, 4}));
}

TEST(LinearGate, IsInitializedLikeTheModelsLinearsWithZeroBias) {
  const auto gate = make_gate(linear_gate(), {256, 32, 0.02, at::kFloat}, 5);
  EXPECT_NEAR(tensor(*gate, "weight")->std().item<float>(), 0.02, 0.002);
  EXPECT_EQ(tensor(*gate, "bias")->abs().max().item<float>(), 0);
}

TEST(CosineGate, IsInitializedLikeTheAuthorsCode) {
  const auto gate = make_gate(cosine(64), {256, 32, 0.02, at::kFloat}, 5);
  EXPECT_NEAR(tensor(*gate, "cosine_projector.weight")->std().item<float>(), 0.02, 0.002);
  EXPECT_EQ(tensor(*gate, "cosine_projector.bias")->abs().max().item<float>(), 0);
  EXPECT_NEAR(tensor(*gate, "sim_matrix")->std().item<float>(), 0.01, 0.001);
  EXPECT_NEAR(tensor(*gate, "temperature")->item<float>(), std::log(2.0), 1e-7);
}

// 23: the input's projection is one column of E for an input that is that column, so its cosine is
// one and its score the scale, 2 at the start.
TEST(CosineGate, IsTheScaleIfProjectionAndColumnPointTheSameWay) {
  const auto gate = make(cosine(kWidth));
  tensor(*gate, "cosine_projector.weight")->copy_(at::eye(kWidth, at::kDouble));
  const Tensor column = tensor(*gate, "sim_matrix")->select(1, 2).clone();
  const Tensor scores = gate->forward(100 * column.unsqueeze(0), rows_of({1}));
  EXPECT_NEAR(scores[0][2].item<double>(), 2, 1e-9);
  EXPECT_EQ(scores.argmax().item<int64_t>(), 2);
}

// 23
TEST(CosineGate, ScaleIsClampedAtOneHundred) {
  const auto gate = make(cosine(5));
  const Tensor x = input(4);
  const Tensor at_two = gate->forward(x, rows_of({4}));
  tensor(*gate, "temperature")->fill_(10);
  EXPECT_CLOSE(gate->forward(x, rows_of({4})), 50 * at_two, 1e-9);
}

// 23
TEST(CosineGate, DoesNotDependOnTheLengthOfTheColumns) {
  for (const bool sequence : {false, true}) {
    const auto gate = make(cosine(5, sequence));
    const Tensor before = gate->forward(input(4), rows_of({4}));
    tensor(*gate, "sim_matrix")->mul_(7);
    EXPECT_CLOSE(gate->forward(input(4), rows_of({4})), before, 1e-9);
  }
}

// 23
TEST(CosineGate, OverFeaturesIsWithinTheScaleAndOverASequenceIgnoresTheLengthOfTheInput) {
  const auto feature = make(cosine(5));
  EXPECT_LE(feature->forward(50 * input(9), rows_of({9})).abs().max().item<double>(), 2 + 1e-12);
  const auto sequence = make(cosine(5, true));
  EXPECT_CLOSE(sequence->forward(3 * input(9), rows_of({9})),
               sequence->forward(input(9), rows_of({9})), 1e-12);
}

// Over the sequence axis, worked by hand: the projection is the input's one feature, (3, 4) in one
// sequence and 7 in another; divided by the norms 5 and 7 it is (0.6, 0.8) and 1.
TEST(CosineGate, OverASequenceNormalizesEachFeatureOverItsTokens) {
  const auto gate = make_gate(cosine(1, true), {1, 2, 0.02, at::kDouble}, 5);
  tensor(*gate, "cosine_projector.weight")->fill_(1);
  tensor(*gate, "sim_matrix")->copy_(at::tensor({5., -5.}, at::kDouble).view({1, 2}));
  const Tensor x = at::tensor({3., 4., 7.}, at::kDouble).view({3, 1});
  EXPECT_CLOSE(gate->forward(x, rows_of({2, 1})),
               at::tensor({1.2, -1.2, 1.6, -1.6, 2., -2.}, at::kDouble).view({3, 2}), 1e-12);
}

TEST(CosineGate, OverASequenceDependsOnItsOtherTokensOnly) {
  const auto gate = make(cosine(5, true));
  const Tensor x = input(5);
  const Tensor together = gate->forward(x, rows_of({2, 3}));
  EXPECT_CLOSE(together.narrow(0, 0, 2), gate->forward(x.narrow(0, 0, 2), rows_of({2})), 1e-12);
  EXPECT_GT(
      largest_difference(together.narrow(0, 0, 2), gate->forward(x, rows_of({5})).narrow(0, 0, 2)),
      1e-3);
}

}  // namespace
}  // namespace mixtune::test
