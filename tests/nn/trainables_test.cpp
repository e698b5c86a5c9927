#include "nn/trainables.h"

#include <gtest/gtest.h>

namespace mixtune {
namespace {

struct Two {
  Two() {
    first = at::tensor({1., 2., 3., 4., 5., 6.}).to(at::kFloat).view({3, 2});
    second = at::tensor({7., 8.}).to(at::kFloat);
    trainables.add(&first, {{"a", "adapter", {1, 2}}, {"b", "base", {2, 2}, false}});
    trainables.add(&second, {{"c", "head", {2}}});
    trainables.build();
  }
  Tensor first, second;
  Trainables trainables;
};

TEST(Trainables, LeavesBecomeViewsOfOneBufferAndKeepTheirValues) {
  Two two;
  EXPECT_EQ(two.trainables.count(), 8);
  EXPECT_TRUE(at::equal(two.trainables.values, at::arange(1, 9).to(at::kFloat)));
  EXPECT_EQ(two.first.data_ptr<float>(), two.trainables.values.data_ptr<float>());
  EXPECT_TRUE(two.first.is_leaf() && two.first.requires_grad());
  EXPECT_EQ(two.first.sizes(), at::IntArrayRef({3, 2}));
}

TEST(Trainables, SegmentsAreRunsOfALeafInTheOrderOfItsRows) {
  Two two;
  const Segment* b = two.trainables.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->offset, 2);
  EXPECT_TRUE(at::equal(two.trainables.value_of(*b), at::arange(3, 7).to(at::kFloat).view({2, 2})));
  EXPECT_EQ(two.trainables.find("d"), nullptr);
}

// Modules see an update of the flat buffer, and gradients accumulate in the flat buffer.
TEST(Trainables, ValuesAndGradientsAreSharedWithTheLeaves) {
  Two two;
  two.trainables.values.add_(10);
  EXPECT_EQ(two.second[0].item<float>(), 17);
  (two.first.sum() * 2 + two.second[1]).backward();
  (two.first.sum()).backward();
  const Tensor expected = at::tensor({3., 3., 3., 3., 3., 3., 0., 1.}).to(at::kFloat);
  EXPECT_TRUE(at::equal(two.trainables.gradients, expected)) << two.trainables.gradients;
  two.trainables.zero_gradients();
  two.second.sum().backward();
  EXPECT_EQ(two.trainables.gradients.sum().item<float>(), 2);
}

TEST(Trainables, RejectsDuplicatesWrongSizesAndAddingAfterBuild) {
  Tensor a = at::zeros({2}), b = at::zeros({3});
  Trainables t;
  t.add(&a, {{"a", "base", {2}}});
  EXPECT_THROW(t.add(&a, {{"again", "base", {2}}}), BugError);
  EXPECT_THROW(t.add(&b, {{"b", "base", {2}}}), BugError);
  EXPECT_THROW(t.add(&b, {{"a", "base", {3}}}), BugError);
  EXPECT_TRUE(t.contains(&a));
  EXPECT_FALSE(t.contains(&b));
  t.build();
  EXPECT_THROW(t.add(&b, {{"b", "base", {3}}}), BugError);
}

TEST(Trainables, WithoutLeavesIsEmpty) {
  Trainables t;
  t.build();
  EXPECT_EQ(t.count(), 0);
  EXPECT_EQ(t.values.numel(), 0);
}

}  // namespace
}  // namespace mixtune
