#include "nn/linear_group.h"

#include <gtest/gtest.h>

#include "support/hand_made_linear.h"

namespace mixtune::test {
namespace {

HandMadeLinear three() {
  HandMadeLinear made({{Role::query, "query", 2}, {Role::key, "key", 1}, {Role::value, "value", 2}},
                      2);
  made.group.weight.copy_(matrix({{1, 0}, {0, 1}, {1, 1}, {2, 0}, {0, 2}}));
  made.group.bias.copy_(matrix({{0, 0, 10, 20, 30}})[0]);
  return made;
}

TEST(LinearGroup, PutsItsMembersSideBySide) {
  HandMadeLinear made = three();
  EXPECT_SAME(made.forward(matrix({{3, 4}})), matrix({{3, 4, 17, 26, 38}}));
}

TEST(LinearGroup, ComputesARangeOfMembersAlone) {
  HandMadeLinear made = three();
  EXPECT_SAME(made.forward(matrix({{3, 4}}), {1, 3}), matrix({{17, 26, 38}}));
  EXPECT_SAME(made.forward(matrix({{3, 4}}), {0, 1}), matrix({{3, 4}}));
  EXPECT_EQ(made.group.columns({1, 3}), 3);
  EXPECT_EQ(made.group.first_column({1, 3}), 2);
  EXPECT_SAME(made.group.weight_of({1, 2}), matrix({{1, 1}}));
  EXPECT_SAME(*made.group.bias_of({2, 3}), matrix({{20, 30}})[0]);
}

TEST(LinearGroup, RejectsAnInputOfAnotherWidth) {
  HandMadeLinear made = three();
  EXPECT_THROW(made.forward(matrix({{1, 2, 3}})), BugError);
}

TEST(Roles, HaveNames) {
  EXPECT_EQ(role_name(Role::query), "query");
  EXPECT_EQ(role_name(Role::ffn_down), "ffn_down");
  EXPECT_EQ(role_name(Role::classifier), "classifier");
  EXPECT_EQ(role_names().size(), static_cast<size_t>(Role::classifier) + 1);
}

}  // namespace
}  // namespace mixtune::test
