// DoRA by hand. W = ((0, 4), (0, 12)), so the magnitudes start at (4, 12). A = (1, 0), B = (3,
// 5)^T, scaling 1: V = W + B A = ((3, 4), (5, 12)) has row norms 5 and 13; x = (1, 1): V x = (7,
// 17).
#include "support/hand_made_linear.h"

namespace mixtune::test {
namespace {

HandMadeLinear dora_by_hand() {
  HandMadeLinear made({{Role::value, "value", 2}}, 2);
  made.group.weight.copy_(matrix({{0, 4}, {0, 12}}));
  made.group.bias.copy_(at::tensor({1.0, 2.0}));
  made.attach_method("dora", "r: 1\nlora_alpha: 1\ntarget_modules: [value]");
  made.set("value.lora_A.weight", matrix({{1, 0}}));
  made.set("value.lora_B.weight", matrix({{3}, {5}}));
  return made;
}

TEST(Dora, MagnitudesStartAtTheNormsOfTheRows) {
  EXPECT_CLOSE(dora_by_hand().value("value.lora_magnitude_vector"), at::tensor({4.0, 12.0}), 1e-12);
}

TEST(Dora, ScalesDirectionsToTheMagnitudesAndAddsTheBiasAfterwards) {
  HandMadeLinear made = dora_by_hand();
  EXPECT_CLOSE(made.forward(matrix({{1, 1}})), matrix({{4.0 / 5 * 7 + 1, 12.0 / 13 * 17 + 2}}),
               1e-12);
}

// The loss is y_0 + y_1 and the norms are constants: dm = V x / norm; with g = m / norm,
// dB = g A x, dA = (g_0 3 + g_1 5) x, dx = V^T g.
TEST(Dora, GradientsTreatTheNormAsAConstant) {
  HandMadeLinear made = dora_by_hand();
  const Tensor x = matrix({{1, 1}}).requires_grad_(true);
  made.forward(x).sum().backward();
  const double g0 = 4.0 / 5, g1 = 12.0 / 13;
  EXPECT_CLOSE(made.gradient("value.lora_magnitude_vector"), at::tensor({7.0 / 5, 17.0 / 13}),
               1e-12);
  EXPECT_CLOSE(made.gradient("value.lora_B.weight"), matrix({{g0}, {g1}}), 1e-12);
  EXPECT_CLOSE(made.gradient("value.lora_A.weight"), matrix({{3 * g0 + 5 * g1, 3 * g0 + 5 * g1}}),
               1e-12);
  EXPECT_CLOSE(x.grad(), matrix({{3 * g0 + 5 * g1, 4 * g0 + 12 * g1}}), 1e-12);
}

TEST(Dora, MergedRowsHaveTheMagnitudesAsNorms) {
  HandMadeLinear made = dora_by_hand();
  const Tensor merged = made.group.adapter->merged(made.group, 0).value();
  EXPECT_CLOSE(merged.norm(2, 1), at::tensor({4.0, 12.0}), 1e-12);
  EXPECT_CLOSE(merged.select(0, 0), at::tensor({4.0 / 5 * 3, 4.0 / 5 * 4}), 1e-12);
}

// A row of zeros has no direction; it stays zero and finite.
TEST(Dora, ARowOfZerosStaysZero) {
  HandMadeLinear made({{Role::value, "value", 2}}, 2);
  made.group.weight.copy_(matrix({{0, 0}, {0, 12}}));
  made.attach_method("dora", "r: 1\ntarget_modules: [value]");
  const Tensor y = made.forward(matrix({{1, 1}}));
  EXPECT_CLOSE(y, matrix({{0, 12}}) + made.group.bias, 1e-12);
  y.sum().backward();
  EXPECT_TRUE(made.attachment->trainables.gradients.isfinite().all().item<bool>());
}

// Compares with the definition, composed of tracked operations: some members of a group are
// adapted, and ranges of members are computed.
TEST(Dora, EqualsItsDefinitionOnEveryRangeOfAGroup) {
  HandMadeLinear made(
      {{Role::query, "self.query", 6}, {Role::key, "self.key", 6}, {Role::value, "self.value", 6}},
      5);
  made.attach_method("dora", "target_modules: [query, value]\nr: 2\nlora_alpha: 3");
  perturb(made.attachment->trainables, 0.5);
  const Tensor start = draw({7, 5}, 1, "x").to(at::kDouble);
  std::map<std::string, Tensor> leaves;
  std::vector<Tensor> parts;
  const Tensor other = start.clone().requires_grad_(true);
  for (size_t m = 0; m < 3; ++m) {
    const std::string name = made.group.members()[m].name;
    const Tensor w = made.group.weight_of({m, m + 1}), b = *made.group.bias_of({m, m + 1});
    if (m == 1) {
      parts.push_back(at::linear(other, w, b));
      continue;
    }
    const auto leaf = [&](const std::string& suffix) {
      return leaves[name + suffix] = made.value(name + suffix).clone().requires_grad_(true);
    };
    const Tensor a = leaf(".lora_A.weight"), up = leaf(".lora_B.weight"),
                 magnitude = leaf(".lora_magnitude_vector");
    const Tensor v = w + 1.5 * at::mm(up, a);
    const Tensor scale = magnitude / v.detach().norm(2, 1);
    parts.push_back(at::mm(other, v.t()) * scale + b);
  }
  const Tensor expected = at::cat(parts, 1);
  const Tensor x = start.clone().requires_grad_(true);
  const Tensor y = made.forward(x);
  EXPECT_CLOSE(y, expected, 1e-12);
  EXPECT_CLOSE(made.forward(start, {0, 1}), expected.narrow(1, 0, 6), 1e-12);
  EXPECT_CLOSE(made.forward(start, {1, 3}), expected.narrow(1, 6, 12), 1e-12);
  const Tensor weights = draw({7, 18}, 1, "weights").to(at::kDouble);
  (y * weights).sum().backward();
  (expected * weights).sum().backward();
  EXPECT_CLOSE(x.grad(), other.grad(), 1e-11);
  for (const auto& [name, tensor] : leaves)
    EXPECT_CLOSE(made.gradient(name), tensor.grad(), 1e-11) << name;
}

// The norm of 768-wide rows in single precision, computed without the matrix W + B A.
TEST(Dora, TheNormFromTheFactorsIsAccurate) {
  HandMadeLinear made({{Role::value, "value", 96}}, 768, at::kFloat);
  made.attach_method("dora", "target_modules: [value]\nr: 16");
  perturb(made.attachment->trainables, 0.05);
  const Tensor v =
      made.group.weight.to(at::kDouble) + at::mm(made.value("value.lora_B.weight").to(at::kDouble),
                                                 made.value("value.lora_A.weight").to(at::kDouble));
  const Tensor expected =
      v * (made.value("value.lora_magnitude_vector").to(at::kDouble) / v.norm(2, 1)).unsqueeze(1);
  EXPECT_CLOSE(made.group.adapter->merged(made.group, 0)->to(at::kDouble), expected, 2e-6);
}

}  // namespace
}  // namespace mixtune::test
