// Comparing tensors with those of a golden case.
#pragma once

#include <gtest/gtest.h>

#include "support/golden.h"
#include "tensor/packed_batch.h"
#include "tensor/tensor_file.h"

namespace mixtune::test {

// The tensors of a case by name; comparisons count their numbers.
class GoldenTensors {
 public:
  explicit GoldenTensors(const fs::path& file) : tensors_(read_tensors(file)) {}

  bool has(const std::string& name) const { return find_tensor(tensors_, name) != nullptr; }
  Tensor get(const std::string& name) const {
    const Tensor* found = find_tensor(tensors_, name);
    if (!found) throw std::runtime_error("the golden case has no tensor " + name);
    return *found;
  }
  const NamedTensors& all() const { return tensors_; }

  void expect_near(const Tensor& actual, const Tensor& expected, double tolerance,
                   const std::string& what) {
    ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
    values_ += actual.numel();
    if (actual.numel() == 0) return;
    const Tensor difference =
        (actual.detach().to(at::kDouble) - expected.to(at::kDouble)).abs().nan_to_num(1e30);
    EXPECT_LE(difference.max().item<double>(), tolerance) << what;
  }
  void expect_near(double actual, double expected, double tolerance, const std::string& what) {
    ++values_;
    EXPECT_NEAR(actual, expected, tolerance) << what;
  }
  // The largest difference relative to the largest entry of what is expected.
  void expect_relative(const Tensor& actual, const Tensor& expected, double tolerance,
                       const std::string& what) {
    const double scale = expected.abs().max().item<double>();
    expect_near(actual, expected, tolerance * std::max(scale, 1e-6), what);
  }
  void expect_equal(const Tensor& actual, const Tensor& expected, const std::string& what) {
    values_ += expected.numel();
    EXPECT_TRUE(at::equal(actual.to(at::kLong), expected.to(at::kLong))) << what << ":\n"
                                                                         << actual << "\nexpected\n"
                                                                         << expected;
  }
  long long values() const { return values_; }

 private:
  NamedTensors tensors_;
  long long values_ = 0;
};

inline Tensor long_tensor(const Json& numbers) {
  return at::tensor(numbers.get<std::vector<int64_t>>(), at::kLong);
}

// A packed batch of sequences given as JSON id lists or as rows of padded tensors.
struct SequenceData {
  std::vector<int32_t> ids, types;
};

inline PackedBatch packed(const std::vector<SequenceData>& sequences) {
  std::vector<SequenceView> views;
  for (size_t i = 0; i < sequences.size(); ++i)
    views.push_back({sequences[i].ids.data(),
                     sequences[i].types.empty() ? nullptr : sequences[i].types.data(),
                     static_cast<int64_t>(sequences[i].ids.size()), static_cast<int64_t>(i)});
  return pack(views, at::kCPU);
}

}  // namespace mixtune::test
