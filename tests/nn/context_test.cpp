#include "nn/context.h"

#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

TEST(LossStatistics, AddsSumsBySite) {
  LossStatistics table;
  const int64_t a = table.add_site(2), b = table.add_site(1);
  Reducer alone;
  EXPECT_FALSE(table.has_sums(a));
  table.add(a, at::tensor({1., 2.}));
  table.add(a, at::tensor({10., 20.}));
  EXPECT_SAME(table.sums(a, alone), at::tensor({11., 22.}));
  EXPECT_FALSE(table.has_sums(b));
  EXPECT_THROW(table.sums(b, alone), BugError);
  EXPECT_THROW(table.add(b, at::tensor({1., 2.})), BugError);
  table.clear();
  EXPECT_FALSE(table.has_sums(a));
}

TEST(LossStatistics, ACopyHasTheLayoutAndItsOwnSums) {
  LossStatistics layout;
  layout.add_site(1);
  LossStatistics copy = layout;
  copy.add(0, at::tensor({1.}));
  EXPECT_TRUE(copy.has_sums(0));
  EXPECT_FALSE(layout.has_sums(0));
}

// Simulates two processes with equal sums: values double, gradients are those of one process.
class Doubling final : public Reducer {
 public:
  void all_reduce(Tensor& sums) override { sums.mul_(2); }
  int64_t size() const override { return 2; }
};

TEST(LossStatistics, ReducesValuesOverProcessesAndKeepsItsOwnGradient) {
  LossStatistics table;
  table.add_site(2);
  const Tensor x = at::tensor({3., 4.}).requires_grad_(true);
  table.add(0, x * 5);
  Doubling two;
  const Tensor sums = table.sums(0, two);
  EXPECT_SAME(sums, at::tensor({30., 40.}));
  sums.sum().backward();
  EXPECT_SAME(x.grad(), at::tensor({5., 5.}));
}

TEST(ForwardContext, SequenceIdsFollowTheKeptSequences) {
  Reducer alone;
  ForwardContext c(Phase::evaluate, 7, 0, alone);
  c.keep_sequences({1, 0});
  EXPECT_TRUE(c.sequence_ids.empty());
  c.sequence_ids = {4, 5, 6};
  c.keep_sequences({2, 0, 2});
  EXPECT_EQ(c.sequence_ids, (std::vector<int64_t>{6, 4, 6}));
}

TEST(Route, DecidesOncePerPathAndNeverIfADecisionIsPinned) {
  Reducer alone;
  ForwardContext c(Phase::evaluate, 7, 0, alone);
  int calls = 0;
  const auto make = [&] {
    ++calls;
    return Decision{{calls}};
  };
  const CallPath path{.position = 1, .layer = 1}, other{.position = 2, .layer = 1};
  EXPECT_EQ(c.route("gate", path, make).choice, (std::vector<int64_t>{1}));
  EXPECT_EQ(c.route("gate", path, make).choice, (std::vector<int64_t>{1}));
  EXPECT_EQ(c.route("gate", other, make).choice, (std::vector<int64_t>{2}));
  EXPECT_EQ(c.route("another", path, make).choice, (std::vector<int64_t>{3}));
  c.pin("forced", path, {{9}});
  EXPECT_EQ(c.route("forced", path, make).choice, (std::vector<int64_t>{9}));
  EXPECT_EQ(calls, 3);
}

TEST(Mask, IsInactiveOutsideTraining) {
  Reducer alone;
  const SequenceLayout rows = rows_of({3});
  EXPECT_FALSE(
      ForwardContext(Phase::evaluate, 7, 0, alone).mask(0.5, "site", {}, "use", rows).active());
  EXPECT_FALSE(ForwardContext(Phase::train, 7, 0, alone).mask(0, "site", {}, "use", rows).active());
  EXPECT_TRUE(
      ForwardContext(Phase::train, 7, 0, alone).mask(0.5, "site", {}, "use", rows).active());
}

TEST(Mask, DiffersBySiteUsePathStepAndSeedAndNotByPacking) {
  Reducer alone;
  const SequenceLayout rows = rows_of({2, 6}, {4, 5});
  const auto mask = [&](RandomKey seed, int64_t step, std::string_view site, CallPath path,
                        std::string_view use) {
    return apply_mask(
        at::ones({8, 16}),
        ForwardContext(Phase::train, seed, step, alone).mask(0.5, site, path, use, rows));
  };
  const Tensor reference = mask(7, 0, "a", own_path(1), "u");
  EXPECT_SAME(mask(7, 0, "a", own_path(1), "u"), reference);
  const CallPath borrowed{.position = 1, .use = Use::borrowed, .layer = 1};
  for (const Tensor& other : {mask(8, 0, "a", own_path(1), "u"), mask(7, 1, "a", own_path(1), "u"),
                              mask(7, 0, "b", own_path(1), "u"), mask(7, 0, "a", own_path(2), "u"),
                              mask(7, 0, "a", borrowed, "u"), mask(7, 0, "a", own_path(1), "v")})
    EXPECT_FALSE(at::equal(other, reference));
  const SequenceLayout second = rows_of({6}, {5});
  ForwardContext c(Phase::train, 7, 0, alone);
  EXPECT_SAME(apply_mask(at::ones({6, 16}), c.mask(0.5, "a", own_path(1), "u", second)),
              reference.narrow(0, 2, 6));
}

TEST(RoutingRecord, CountsChoicesAndAddsEntropy) {
  RoutingRecord record;
  record.count(1, 3, 4, {{2, 2, 0}});
  record.count(1, 3, 4, {{3}});
  record.add_entropy(1, 3, 0.5, 2);
  record.add_entropy(1, 3, 1.5, 3);
  EXPECT_TRUE(at::equal(record.choices[1], at::tensor({1, 0, 2, 1}, at::kLong)));
  EXPECT_EQ(record.choices.sum().item<int64_t>(), 4);
  EXPECT_EQ(record.entropy, (std::vector<double>{0, 2, 0}));
  EXPECT_EQ(record.tokens, (std::vector<int64_t>{0, 5, 0}));
}

}  // namespace
}  // namespace mixtune::test
