// Compares tensors with those of a golden case. A tolerance applies to numbers up to one. Larger
// numbers round by more, and so do small entries of a tensor with large entries, because they are
// sums of large terms.
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
    const Tensor wanted = expected.to(at::kDouble);
    const Tensor allowed =
        tolerance * wanted.abs().clamp_min(root_mean_square(wanted)).clamp_min(1);
    const Tensor difference =
        ((actual.detach().to(at::kDouble) - wanted).abs() - allowed).nan_to_num(1e30);
    EXPECT_LE(difference.max().item<double>(), 0) << what;
  }
  void expect_near(double actual, double expected, double tolerance, const std::string& what) {
    ++values_;
    EXPECT_NEAR(actual, expected, allowed_at(expected, tolerance)) << what;
  }
  // Compares by norm: Adam can move an entry whose gradient is only rounding by up to the learning
  // rate per step, in either direction.
  void expect_near_by_norm(const Tensor& actual, const Tensor& expected, double tolerance,
                           const std::string& what) {
    ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
    values_ += actual.numel();
    const Tensor wanted = expected.to(at::kDouble);
    const double scale = root_mean_square(wanted);
    EXPECT_LE(root_mean_square(actual.detach().to(at::kDouble) - wanted),
              allowed_at(scale, tolerance))
        << what << ", whose entries are about " << scale;
  }
  // The largest difference relative to the largest expected entry.
  void expect_relative(const Tensor& actual, const Tensor& expected, double tolerance,
                       const std::string& what) {
    ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
    values_ += actual.numel();
    const double scale = expected.abs().max().item<double>();
    EXPECT_LE(largest_distance(actual, expected), tolerance * std::max(scale, 1e-6)) << what;
  }
  void expect_equal(const Tensor& actual, const Tensor& expected, const std::string& what) {
    values_ += expected.numel();
    EXPECT_TRUE(at::equal(actual.to(at::kLong), expected.to(at::kLong))) << what << ":\n"
                                                                         << actual << "\nexpected\n"
                                                                         << expected;
  }
  long long values() const { return values_; }

 private:
  static double root_mean_square(const Tensor& x) {
    return x.square().mean().sqrt().item<double>();
  }
  static double largest_distance(const Tensor& a, const Tensor& b) {
    return (a.detach().to(at::kDouble) - b.to(at::kDouble))
        .abs()
        .nan_to_num(1e30)
        .max()
        .item<double>();
  }

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
