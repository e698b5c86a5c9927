// IA3 worked by hand: keys and values are l * (W x + b), the second linear of the feed-forward is W
// (l * x) + b.
#include "support/hand_made_linear.h"

namespace mixtune::test {
namespace {

// W = (1 2; 3 4), b = (10, 20), x = (1, 1): W x + b = (13, 27).
HandMadeLinear ia3_by_hand(Role role) {
  HandMadeLinear made({{role, "linear", 2}}, 2);
  made.group.weight.copy_(matrix({{1, 2}, {3, 4}}));
  made.group.bias.copy_(matrix({{10, 20}})[0]);
  made.attach_method("ia3", "target_modules: [linear]");
  return made;
}

TEST(Ia3, ScalesTheOutputBiasIncluded) {
  HandMadeLinear made = ia3_by_hand(Role::value);
  made.set("linear.ia3_l", matrix({{2}, {0.5}}));
  const Tensor x = matrix({{1, 1}}).requires_grad_(true);
  const Tensor y = made.forward(x);
  EXPECT_SAME(y, matrix({{26, 13.5}}));
  y.sum().backward();
  EXPECT_SAME(made.gradient("linear.ia3_l"), matrix({{13}, {27}}));
  EXPECT_SAME(x.grad(), matrix({{2 * 1 + 0.5 * 3, 2 * 2 + 0.5 * 4}}));
  EXPECT_SAME(made.group.adapter->merged(made.group, 0).value(), matrix({{2, 4}, {1.5, 2}}));
  EXPECT_SAME(made.group.adapter->merged_bias(made.group, 0)->unsqueeze(0), matrix({{20, 10}}));
}

TEST(Ia3, ScalesTheInputOfTheSecondLinearOfTheFeedForward) {
  HandMadeLinear made = ia3_by_hand(Role::ffn_down);
  made.set("linear.ia3_l", matrix({{2, 0.5}}));
  const Tensor y = made.forward(matrix({{1, 1}}));
  EXPECT_SAME(y, matrix({{2 + 1 + 10, 6 + 2 + 20}}));
  y.sum().backward();
  EXPECT_SAME(made.gradient("linear.ia3_l"), matrix({{4, 6}}));
  EXPECT_SAME(made.group.adapter->merged(made.group, 0).value(), matrix({{2, 1}, {6, 2}}));
}

TEST(Ia3, ScalesKeysValuesAndInnerActivationsFromOneByDefault) {
  Attached run(tiny_config("roberta", 1), "ia3", "");
  std::vector<std::string> names;
  for (const Segment& s : run.trainables().segments()) {
    if (s.group != "adapter") continue;
    names.push_back(s.name);
    EXPECT_SAME(run.trainables().value_of(s), at::ones(s.shape));
    EXPECT_FALSE(s.decays) << "decay would pull " << s.name << " to zero";
  }
  const std::string layer = "roberta.encoder.layer.0.";
  EXPECT_EQ(names, (std::vector<std::string>{layer + "attention.self.key.ia3_l",
                                             layer + "attention.self.value.ia3_l",
                                             layer + "output.dense.ia3_l"}));
}

TEST(Ia3, GivesARangeOfMembersItsOwnColumns) {
  HandMadeLinear made({{Role::query, "query", 2}, {Role::key, "key", 2}, {Role::value, "value", 2}},
                      3);
  made.attach_method("ia3", "target_modules: [key, value]");
  made.set("key.ia3_l", matrix({{2}, {3}}));
  made.set("value.ia3_l", matrix({{4}, {5}}));
  const Tensor x = draw({4, 3}, 1, "x").to(at::kDouble);
  const Tensor whole = made.forward(x);
  EXPECT_CLOSE(made.forward(x, {1, 3}), whole.narrow(1, 2, 4), 1e-12);
  EXPECT_CLOSE(made.forward(x, {0, 1}), made.group.base(x, {0, 1}), 1e-12);
}

}  // namespace
}  // namespace mixtune::test
