#include "nn/attention.h"

#include <gtest/gtest.h>

namespace molt {
namespace {

Rows rows_of(const std::vector<int64_t>& lengths) {
  std::vector<std::vector<int32_t>> ids;
  std::vector<SequenceView> views;
  for (const int64_t length : lengths) ids.emplace_back(static_cast<size_t>(length), 1);
  for (size_t i = 0; i < ids.size(); ++i)
    views.push_back({ids[i].data(), nullptr, lengths[i], static_cast<int64_t>(i)});
  return pack(views, at::kCPU).rows;
}

DropoutMask mask_of(const Rows& rows, double probability) {
  return {probability, 99, 3, rows.example, rows.token};
}

// One row of queries against the keys of its sequence, by the textbook.
TEST(PackedAttention, IsTheWeightedMeanOfTheValuesOfOneSequence) {
  const Rows rows = rows_of({1, 2});
  const Tensor qkv = at::zeros({3, 3});  // one head of width 1: q, k, v
  qkv[1][0] = 1;                         // query of the second sequence's first token
  qkv[1][1] = std::log(3.0);             // its keys: log 3 and 0, so weights 3/4 and 1/4
  qkv[0][2] = 5;
  qkv[1][2] = 1;
  qkv[2][2] = 2;
  const Tensor out = packed_attention(Tensor(), qkv, rows, rows, {1, 1}, {});
  EXPECT_NEAR(out[0][0].item<float>(), 5, 1e-6);
  EXPECT_NEAR(out[1][0].item<float>(), 0.75 * 1 + 0.25 * 2, 1e-6);
  EXPECT_NEAR(out[2][0].item<float>(), 1.5, 1e-6);
}

struct Case {
  double probability;
  bool read_only_first;
};

// The kernel against the composition of tensor operations in double precision: values and
// gradients.
class PackedAttentionKernel : public testing::TestWithParam<Case> {};

TEST_P(PackedAttentionKernel, EqualsTheCompositionOfTensorOperations) {
  const AttentionShape shape{3, 8};
  const int64_t width = 24;
  const Rows rows = rows_of({1, 70, 13, 129});
  const SelectedRows first = first_rows(rows);
  const bool part = GetParam().read_only_first;
  const Rows& query_rows = part ? first.rows : rows;
  const Tensor fused = at::randn({rows.tokens(), part ? 2 * width : 3 * width});
  const Tensor separate = part ? at::randn({rows.sequences(), width}) : Tensor();
  const DropoutMask mask = mask_of(query_rows, GetParam().probability);
  const Tensor weights = at::randn({query_rows.tokens(), width});
  const auto run = [&](at::ScalarType type) {
    Tensor kv = fused.to(type).clone().requires_grad_(true);
    Tensor q = part ? separate.to(type).clone().requires_grad_(true) : Tensor();
    const Tensor out = packed_attention(q, kv, query_rows, rows, shape, mask);
    (out * weights.to(type)).sum().backward();
    return std::vector<Tensor>{out.detach(), kv.grad(), part ? q.grad() : at::zeros({1}, type)};
  };
  const auto kernel = run(at::kFloat), composed = run(at::kDouble);
  for (size_t i = 0; i < kernel.size(); ++i)
    EXPECT_LT((kernel[i].to(at::kDouble) - composed[i]).abs().max().item<double>(), 2e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(All, PackedAttentionKernel,
                         testing::Values(Case{0, false}, Case{0, true}, Case{0.2, false},
                                         Case{0.2, true}));

}  // namespace
}  // namespace molt
