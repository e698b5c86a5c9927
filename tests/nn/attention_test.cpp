#include "nn/attention.h"

#include <gtest/gtest.h>

#include "support/rounding.h"

namespace mixtune {
namespace {

SequenceLayout rows_of(const std::vector<int64_t>& lengths) {
  std::vector<std::vector<int32_t>> ids;
  std::vector<SequenceView> views;
  for (const int64_t length : lengths) ids.emplace_back(static_cast<size_t>(length), 1);
  for (size_t i = 0; i < ids.size(); ++i)
    views.push_back({ids[i].data(), nullptr, lengths[i], static_cast<int64_t>(i)});
  return pack(views, at::kCPU).rows;
}

DropoutMask mask_of(const SequenceLayout& rows, double probability) {
  return {probability, 99, 3, rows.example, rows.token};
}

// Worked by hand: one row of queries against the keys of its sequence.
TEST(PackedAttention, IsTheWeightedMeanOfTheValuesOfOneSequence) {
  const SequenceLayout rows = rows_of({1, 2});
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

// A causal token attends to itself and to earlier tokens inside its window: with equal scores the
// outputs are the means of 1, (1, 2), (1, 2, 3) and, for a window of two, (2, 3).
TEST(PackedAttention, HidesLaterTokensAndTokensOutsideTheWindow) {
  const SequenceLayout rows = rows_of({3});
  const Tensor qkv = at::zeros({3, 3});
  for (int64_t t = 0; t < 3; ++t) qkv[t][2] = t + 1;
  AttentionShape shape{.heads = 1, .head_width = 1, .causal = true};
  EXPECT_TRUE(at::allclose(packed_attention(Tensor(), qkv, rows, rows, shape, {}),
                           at::tensor({1.f, 1.5f, 2.f}).view({3, 1})));
  shape.window = 2;
  EXPECT_TRUE(at::allclose(packed_attention(Tensor(), qkv, rows, rows, shape, {}),
                           at::tensor({1.f, 1.5f, 2.5f}).view({3, 1})));
}

struct Case {
  double probability;
  bool read_only_first;
  int64_t key_value_heads = 0;
  bool causal = false;
  int64_t window = 0;
};

// The kernel against the composition of tensor operations in double precision: values and
// gradients.
class PackedAttentionKernel : public testing::TestWithParam<Case> {};

TEST_P(PackedAttentionKernel, EqualsTheCompositionOfTensorOperations) {
  AttentionShape shape{.heads = 6, .head_width = 8};
  shape.key_value_heads = GetParam().key_value_heads;
  shape.causal = GetParam().causal;
  shape.window = GetParam().window;
  const int64_t width = shape.query_columns(), keys = 2 * shape.key_columns();
  const SequenceLayout rows = rows_of({1, 70, 13, 129});
  // The rows that a head would read, at arbitrary positions.
  const SelectedRows first = select_rows(rows, {0, 41, 83, 84});
  const bool part = GetParam().read_only_first;
  const SequenceLayout& query_rows = part ? first.rows : rows;
  const Tensor fused = at::randn({rows.tokens(), part ? keys : width + keys});
  const Tensor separate = part ? at::randn({rows.sequences(), width}) : Tensor();
  const DropoutMask mask = mask_of(query_rows, GetParam().probability);
  const Tensor weights = at::randn({query_rows.tokens(), width});
  const auto run = [&](at::ScalarType type, auto attention) {
    Tensor kv = fused.to(type).clone().requires_grad_(true);
    Tensor q = part ? separate.to(type).clone().requires_grad_(true) : Tensor();
    const Tensor out = attention(q, kv, query_rows, rows, shape, mask);
    (out * weights.to(type)).sum().backward();
    return std::vector<Tensor>{out.detach(), kv.grad(), part ? q.grad() : at::zeros({1}, type)};
  };
  const auto kernel = run(at::kFloat, packed_attention);
  const auto composed = run(at::kDouble, packed_attention);
  const auto padded = run(at::kDouble, padded_attention);
  for (size_t i = 0; i < kernel.size(); ++i) {
    // The gradient of a key sums over the queries of its sequence, up to 129, and over 8 columns.
    EXPECT_LT((kernel[i].to(at::kDouble) - composed[i]).abs().max().item<double>(),
              test::float_rounding(composed[i], 129 * 8))
        << i;
    EXPECT_LT((padded[i] - composed[i]).abs().max().item<double>(), test::tight(composed[i])) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PackedAttentionKernel,
                         testing::Values(Case{0, false}, Case{0, true}, Case{0.2, false},
                                         Case{0.2, true}, Case{0, false, 2, true},
                                         Case{0.2, false, 3, true}, Case{0, true, 2, true},
                                         Case{0, false, 0, true, 5}, Case{0.2, true, 1, true, 20},
                                         Case{0, false, 2}));

}  // namespace
}  // namespace mixtune
