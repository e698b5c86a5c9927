#include "train/schedule.h"

#include <gtest/gtest.h>

namespace mixtune {
namespace {

TEST(Schedule, WarmUpStartsAtZeroAndEndsAtTheFullRate) {
  const Schedule s{.kind = Schedule::Kind::linear, .warmup_steps = 4, .total_steps = 12};
  EXPECT_EQ(s.factor(0), 0);
  EXPECT_EQ(s.factor(2), 0.5);
  EXPECT_EQ(s.factor(4), 1);
  EXPECT_EQ(s.factor(8), 0.5);
  EXPECT_EQ(s.factor(12), 0);
}

TEST(Schedule, ConstantStaysAndCosineIsHalfWayInTheMiddle) {
  EXPECT_EQ(
      (Schedule{.kind = Schedule::Kind::constant, .warmup_steps = 0, .total_steps = 5}.factor(99)),
      1);
  EXPECT_DOUBLE_EQ(
      (Schedule{.kind = Schedule::Kind::cosine, .warmup_steps = 2, .total_steps = 10}.factor(6)),
      0.5);
}

TEST(Schedule, WarmUpIsAShareBelowOneAndOtherwiseSteps) {
  EXPECT_EQ(warmup_steps(0.06, 100), 6);
  EXPECT_EQ(warmup_steps(0.06, 101), 7);  // rounded up
  EXPECT_EQ(warmup_steps(0, 100), 0);
  EXPECT_EQ(warmup_steps(1, 100), 1);
  EXPECT_EQ(warmup_steps(25, 100), 25);
}

TEST(Schedule, WarmUpOfTheWholeRunDoesNotDivideByZero) {
  const Schedule s{.kind = Schedule::Kind::linear, .warmup_steps = 3, .total_steps = 3};
  EXPECT_NEAR(s.factor(2), 2.0 / 3, 1e-12);
  EXPECT_EQ(s.factor(3), 0);
}

TEST(Schedule, EndsAtTheGivenShareOfTheRate) {
  const auto factor = [](Schedule::Kind kind, int64_t step) {
    return Schedule{.kind = kind, .total_steps = 10, .end = 0.2, .decay_steps = 4}.factor(step);
  };
  EXPECT_DOUBLE_EQ(factor(Schedule::Kind::linear, 5), 0.6);
  EXPECT_DOUBLE_EQ(factor(Schedule::Kind::cosine, 10), 0.2);
  EXPECT_DOUBLE_EQ(factor(Schedule::Kind::warmup_stable_decay, 6), 1);
  EXPECT_DOUBLE_EQ(factor(Schedule::Kind::warmup_stable_decay, 8), 0.6);
  EXPECT_DOUBLE_EQ(factor(Schedule::Kind::warmup_stable_decay, 10), 0.2);
}

TEST(Schedule, EveryNameIsAKind) {
  for (const std::string& name : schedule_names())
    EXPECT_EQ(schedule_names().at(static_cast<size_t>(schedule_kind(name))), name);
}

}  // namespace
}  // namespace mixtune
