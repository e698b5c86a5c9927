// The key-value cache of generation: its contents, and attention to it.
#include "nn/key_value_cache.h"

#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

const CallPath kPath = own_path(0), kBorrowed = {.position = 0, .use = Use::borrowed, .layer = 1};

// The layout of one new token for each of `sequences`, at the given positions.
SequenceLayout next_rows(const std::vector<int64_t>& sequences,
                         const std::vector<int64_t>& positions) {
  SequenceLayout rows = rows_of(std::vector<int64_t>(sequences.size(), 1), sequences);
  rows.token = at::tensor(positions, at::kLong);
  return rows;
}

TEST(KeyValueCache, KeepsAppendedRowsByPathAndSequence) {
  KeyValueCache state;
  const Tensor x = at::arange(20, at::kFloat).view({5, 4});
  state.append(kPath, x, {1, 3}, rows_of({2, 3}));
  EXPECT_SAME(state.of(kPath, 0), x.narrow(0, 0, 2).narrow(1, 1, 2));
  EXPECT_SAME(state.of(kPath, 1), x.narrow(0, 2, 3).narrow(1, 1, 2));
  EXPECT_FALSE(state.of(kBorrowed, 0).defined());
  EXPECT_FALSE(state.of(kPath, 2).defined());
  for (int64_t n = 0; n < 40; ++n)  // past the first capacity
    state.append(kPath, at::full({1, 2}, n), {0, 2}, next_rows({1}, {3 + n}));
  ASSERT_EQ(state.of(kPath, 1).size(0), 43);
  EXPECT_SAME(state.of(kPath, 1).narrow(0, 0, 3), x.narrow(0, 2, 3).narrow(1, 1, 2));
  EXPECT_EQ(state.of(kPath, 1)[42][0].item<float>(), 39);
  EXPECT_EQ(state.of(kPath, 0).size(0), 2);
}

TEST(KeyValueCache, FollowsDroppedAndDuplicatedSequences) {
  KeyValueCache state;
  state.append(kPath, at::tensor({1.f, 2.f, 3.f}).view({3, 1}), {0, 1}, rows_of({1, 1, 1}));
  state.keep({2, 0, 2});
  state.append(kPath, at::tensor({4.f, 5.f, 6.f}).view({3, 1}), {0, 1},
               next_rows({0, 1, 2}, {1, 1, 1}));
  EXPECT_SAME(state.of(kPath, 0).flatten(), at::tensor({3.f, 4.f}));
  EXPECT_SAME(state.of(kPath, 1).flatten(), at::tensor({1.f, 5.f}));
  EXPECT_SAME(state.of(kPath, 2).flatten(), at::tensor({3.f, 6.f}));
  EXPECT_FALSE(state.of(kPath, 3).defined());
}

TEST(KeyValueCache, AveragesTwoPathsAsTheReferenceCodeDoes) {
  KeyValueCache state(true);
  state.append(kPath, at::tensor({1.f, 10.f}).view({2, 1}), {0, 1}, rows_of({1, 1}));
  state.copy(kPath, kBorrowed);
  const SequenceLayout next = next_rows({0, 1}, {1, 1});
  state.append(kPath, at::tensor({2.f, 20.f}).view({2, 1}), {0, 1}, next);
  state.append(kBorrowed, at::tensor({4.f, 40.f}).view({2, 1}), {0, 1}, next);
  state.average(kPath, {kBorrowed, kBorrowed}, 0.5, 0.25);
  EXPECT_SAME(state.of(kPath, 0).flatten(), at::tensor({0.75f, 2.0f}));
  EXPECT_SAME(state.of(kPath, 1).flatten(), at::tensor({7.5f, 20.0f}));
  EXPECT_FALSE(state.of(kBorrowed, 0).defined());
}

// One head of width 1: keys 0 and ln 3 under the query 1 have probabilities 1/4 and 3/4.
TEST(Attend, WeighsTheCachedValues) {
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  KeyValueCache state;
  context.decode = &state;
  const AttentionShape shape{.heads = 1, .head_width = 1, .causal = true};
  const auto run = [&](const Tensor& fused, const SequenceLayout& rows) {
    return attend(Tensor(), fused, rows, {rows, kPath, context}, shape, {});
  };
  run(at::tensor({1.f, 0.f, 8.f}).view({1, 3}), rows_of({1}));
  const Tensor out = run(at::tensor({1.f, std::log(3.f), 4.f}).view({1, 3}), next_rows({0}, {1}));
  EXPECT_NEAR(out.item<float>(), 5, 1e-5);
}

// Windows, groups, caps, scales and dtypes: the result equals attention over the whole sequence.
TEST(Attend, EqualsAttentionOverTheWholeSequence) {
  const std::vector<int64_t> lengths = {7, 4, 9};
  for (const AttentionShape shape :
       {AttentionShape{.heads = 4, .head_width = 8, .causal = true},
        AttentionShape{.heads = 4, .head_width = 8, .key_value_heads = 2, .causal = true},
        AttentionShape{.heads = 2, .head_width = 8, .causal = true, .window = 3, .scale = 0.2},
        AttentionShape{.heads = 2, .head_width = 8, .causal = true, .cap = 2}})
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const SequenceLayout whole = rows_of(lengths);
      const int64_t width = shape.query_columns() + 2 * shape.key_columns();
      const Tensor fused = draw({whole.tokens(), width}, 1, "fused").to(type);
      const Tensor expected = packed_attention(Tensor(), fused, whole, whole, shape, {});
      Reducer alone;
      ForwardContext context(Phase::evaluate, 0, 0, alone);
      KeyValueCache state;
      context.decode = &state;
      for (int64_t n = 0; n < 4; ++n) {  // prompts of length - 3 tokens, then one by one
        std::vector<int64_t> index, positions, counts;
        for (size_t s = 0; s < lengths.size(); ++s) {
          const int64_t begin = n == 0 ? 0 : lengths[s] - 4 + n, end = lengths[s] - 3 + n;
          counts.push_back(end - begin);
          for (int64_t i = begin; i < end; ++i) {
            index.push_back(whole.offsets[s] + i);
            positions.push_back(i);
          }
        }
        SequenceLayout rows = rows_of(counts, {0, 1, 2});
        rows.token = at::tensor(positions, at::kLong);
        const Tensor picked = at::tensor(index, at::kLong);
        EXPECT_CLOSE(attend(Tensor(), fused.index_select(0, picked), rows, {rows, kPath, context},
                            shape, {}),
                     expected.index_select(0, picked),
                     type == at::kDouble ? tight(expected) : float_rounding(expected, 9 * 8))
            << n;
      }
    }
}

}  // namespace
}  // namespace mixtune::test
