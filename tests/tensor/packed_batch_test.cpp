#include "tensor/packed_batch.h"

#include <gtest/gtest.h>

namespace mixtune {
namespace {

PackedBatch three_sequences() {
  static const std::vector<int32_t> a = {5, 6}, b = {7, 8, 9}, c = {4}, types = {0, 1, 1};
  return pack(
      {{a.data(), nullptr, 2, 10}, {b.data(), types.data(), 3, 11}, {c.data(), nullptr, 1, 12}},
      at::kCPU);
}

std::vector<int64_t> values_of(const Tensor& t) {
  return {t.data_ptr<int64_t>(), t.data_ptr<int64_t>() + t.numel()};
}

TEST(Pack, ConcatenatesSequencesWithPositionsFromZero) {
  const PackedBatch batch = three_sequences();
  EXPECT_EQ(values_of(batch.ids), (std::vector<int64_t>{5, 6, 7, 8, 9, 4}));
  EXPECT_EQ(values_of(batch.positions), (std::vector<int64_t>{0, 1, 0, 1, 2, 0}));
  EXPECT_EQ(values_of(batch.token_types), (std::vector<int64_t>{0, 0, 0, 1, 1, 0}));
  EXPECT_EQ(values_of(batch.rows.example), (std::vector<int64_t>{10, 10, 11, 11, 11, 12}));
  EXPECT_EQ(batch.rows.offsets, (std::vector<int64_t>{0, 2, 5, 6}));
  EXPECT_EQ(values_of(batch.rows.sequence_of_row()), (std::vector<int64_t>{0, 0, 1, 1, 1, 2}));
}

TEST(SelectSequences, KeepsTheGivenOrderAndReturnsRowIndices) {
  const SelectedRows some = select_sequences(three_sequences().rows, {2, 0});
  EXPECT_EQ(values_of(some.index), (std::vector<int64_t>{5, 0, 1}));
  EXPECT_EQ(some.rows.offsets, (std::vector<int64_t>{0, 1, 3}));
  EXPECT_EQ(values_of(some.rows.example), (std::vector<int64_t>{12, 10, 10}));
}

TEST(SelectSequences, KeepsPromptsUnlikeSelectRows) {
  static const std::vector<int32_t> ids = {5, 6, 7};
  const PackedBatch batch =
      pack({{ids.data(), nullptr, 3, 0, 2}, {ids.data(), nullptr, 2, 1, 0}}, at::kCPU);
  EXPECT_EQ(batch.rows.prompt, (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(select_sequences(batch.rows, {1, 0}).rows.prompt, (std::vector<int64_t>{0, 2}));
  EXPECT_TRUE(first_rows(batch.rows).rows.prompt.empty());
  EXPECT_TRUE(three_sequences().rows.prompt.empty());
}

TEST(FirstRows, AreTheStartsOfTheSequences) {
  const SelectedRows first = first_rows(three_sequences().rows);
  EXPECT_EQ(values_of(first.index), (std::vector<int64_t>{0, 2, 5}));
  EXPECT_EQ(first.rows.sequences(), 3);
}

}  // namespace
}  // namespace mixtune
