#include "metrics/accuracy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.h"

namespace mixtune {
namespace {

using Ids = std::vector<int64_t>;

TEST(Accuracy, IsTheShareOfEqualEntries) {
  EXPECT_DOUBLE_EQ(accuracy(Ids{0, 1, 2, 1}, Ids{0, 1, 1, 1}), 0.75);
}

TEST(Accuracy, OfNothingIsNan) {
  EXPECT_TRUE(std::isnan(accuracy(Ids{}, Ids{})));
}

TEST(Accuracy, RejectsVectorsOfDifferentLength) {
  EXPECT_THROW(accuracy(Ids{1}, Ids{1, 0}), BugError);
}

}  // namespace
}  // namespace mixtune
