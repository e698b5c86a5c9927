#include "train/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace mixtune {
namespace {

std::vector<int64_t> flatten(const std::vector<StepBatches>& steps) {
  std::vector<int64_t> out;
  for (const StepBatches& step : steps)
    for (const MicroBatch& batch : step) out.insert(out.end(), batch.begin(), batch.end());
  return out;
}

std::vector<int64_t> some_lengths(int64_t count) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < count; ++i)
    out.push_back(5 + static_cast<int64_t>(random_integer(3, static_cast<uint64_t>(i), 60)));
  return out;
}

TEST(BatchPlan, EveryExampleOccursOncePerEpoch) {
  for (const std::optional<int64_t> tokens :
       {std::optional<int64_t>(), std::optional<int64_t>(256)}) {
    const BatchPlan plan(some_lengths(1003),
                         {.batch_size = 16, .batch_tokens = tokens, .accumulate = 3}, 1);
    std::vector<int64_t> seen = flatten(plan.epoch(4));
    std::sort(seen.begin(), seen.end());
    std::vector<int64_t> all(1003);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(seen, all);
    EXPECT_EQ(static_cast<int64_t>(plan.epoch(4).size()), plan.steps_in(4));
  }
}

TEST(BatchPlan, IsAFunctionOfSeedAndEpoch) {
  const BatchPlan a(some_lengths(100), {.batch_size = 8}, 1),
      b(some_lengths(100), {.batch_size = 8}, 1), c(some_lengths(100), {.batch_size = 8}, 2);
  EXPECT_EQ(a.epoch(3), b.epoch(3));
  EXPECT_NE(a.epoch(3), a.epoch(4));
  EXPECT_NE(a.epoch(3), c.epoch(3));
}

TEST(BatchPlan, AccumulationUsesTheExamplesOfTheLargeBatch) {
  const BatchPlan large(some_lengths(50), {.batch_size = 8}, 1);
  const BatchPlan small(some_lengths(50), {.batch_size = 1, .accumulate = 8}, 1);
  const auto a = large.epoch(0), b = small.epoch(0);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(flatten({a[i]}), flatten({b[i]}));
}

TEST(BatchPlan, TokenBatchesAreFullAndMixLengths) {
  const auto lengths = some_lengths(4000);
  const BatchPlan plan(lengths, {.batch_tokens = 512}, 1);
  int64_t tokens = 0, batches = 0;
  bool mixes = false;
  for (const StepBatches& step : plan.epoch(0)) {
    int64_t sum = 0, shortest = 1000, longest = 0;
    for (const int64_t i : step.front()) {
      sum += lengths[static_cast<size_t>(i)];
      shortest = std::min(shortest, lengths[static_cast<size_t>(i)]);
      longest = std::max(longest, lengths[static_cast<size_t>(i)]);
    }
    EXPECT_LE(sum, 512);
    mixes = mixes || longest > 2 * shortest;
    tokens += sum;
    ++batches;
  }
  EXPECT_TRUE(mixes);
  EXPECT_GT(static_cast<double>(tokens) / static_cast<double>(batches), 0.96 * 512);
}

TEST(BatchPlan, RejectsABudgetThatAnExampleDoesNotFit) {
  EXPECT_THROW(BatchPlan({10, 70}, {.batch_tokens = 64}, 1), UserError);
}

TEST(CutByTokens, GivesALongExampleItsOwnBatch) {
  EXPECT_EQ(cut_by_tokens({0, 1, 2, 3}, {3, 9, 2, 2}, 5),
            (std::vector<MicroBatch>{{0}, {1}, {2, 3}}));
}

}  // namespace
}  // namespace mixtune
