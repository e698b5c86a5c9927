#include "tensor/packed_batch.h"

namespace mixtune {

std::vector<int64_t> SequenceLayout::example_of_sequence() const {
  const Tensor on_host = example.to(at::kCPU);
  std::vector<int64_t> out;
  for (int64_t s = 0; s < sequences(); ++s)
    out.push_back(on_host.const_data_ptr<int64_t>()[offsets[s]]);
  return out;
}

Tensor SequenceLayout::sequence_of_row() const {
  const Tensor out = at::empty({tokens()}, at::kLong);
  for (int64_t s = 0; s < sequences(); ++s) out.narrow(0, offsets[s], length(s)).fill_(s);
  return out.to(example.device());
}

SelectedRows select_sequences(const SequenceLayout& rows, const std::vector<int64_t>& sequences) {
  SelectedRows out;
  out.rows.offsets.push_back(0);
  for (const int64_t s : sequences) {
    MIXTUNE_CHECK(s >= 0 && s < rows.sequences(), "sequence " + std::to_string(s));
    out.rows.offsets.push_back(out.rows.offsets.back() + rows.length(s));
    if (!rows.prompt.empty()) out.rows.prompt.push_back(rows.prompt[s]);
    if (!rows.example_group.empty()) out.rows.example_group.push_back(rows.example_group[s]);
  }
  Tensor index = at::empty({out.rows.tokens()}, at::kLong);
  int64_t* next = index.data_ptr<int64_t>();
  for (const int64_t s : sequences)
    for (int64_t r = rows.offsets[s]; r < rows.offsets[s + 1]; ++r) *next++ = r;
  out.index = index.to(rows.example.device());
  out.rows.example = rows.example.index_select(0, out.index);
  out.rows.token = rows.token.index_select(0, out.index);
  return out;
}

SelectedRows select_rows(const SequenceLayout& rows, const std::vector<int64_t>& chosen) {
  MIXTUNE_CHECK(static_cast<int64_t>(chosen.size()) == rows.sequences(),
                "expected one row per sequence");
  SelectedRows out;
  for (int64_t s = 0; s <= rows.sequences(); ++s) out.rows.offsets.push_back(s);
  out.rows.example_group = rows.example_group;
  out.index = at::tensor(chosen, at::kLong).to(rows.example.device());
  out.rows.example = rows.example.index_select(0, out.index);
  out.rows.token = rows.token.index_select(0, out.index);
  return out;
}

SelectedRows first_rows(const SequenceLayout& rows) {
  return select_rows(rows, {rows.offsets.begin(), rows.offsets.end() - 1});
}

PackedBatch pack(const std::vector<SequenceView>& sequences, const at::Device& device) {
  PackedBatch batch;
  batch.rows.offsets.push_back(0);
  bool typed = false, prompted = false, has_groups = false;
  for (const SequenceView& sequence : sequences) {
    MIXTUNE_CHECK(sequence.length > 0, "an empty sequence");
    batch.rows.offsets.push_back(batch.rows.offsets.back() + sequence.length);
    typed = typed || sequence.type_ids != nullptr;
    prompted = prompted || sequence.prompt > 0;
    has_groups = has_groups || sequence.example_group >= 0;
    MIXTUNE_CHECK(sequence.prompt >= 0 && sequence.prompt <= sequence.length, "a prompt's length");
  }
  if (prompted)
    for (const SequenceView& sequence : sequences) batch.rows.prompt.push_back(sequence.prompt);
  if (has_groups)
    for (const SequenceView& sequence : sequences)
      batch.rows.example_group.push_back(sequence.example_group);
  const int64_t tokens = batch.rows.tokens();
  const Tensor ids = at::empty({tokens}, at::kLong), positions = at::empty({tokens}, at::kLong);
  const Tensor types = at::zeros({tokens}, at::kLong), example = at::empty({tokens}, at::kLong);
  int64_t row = 0;
  for (const SequenceView& sequence : sequences) {
    for (int64_t t = 0; t < sequence.length; ++t, ++row) {
      ids.data_ptr<int64_t>()[row] = sequence.ids[t];
      positions.data_ptr<int64_t>()[row] = t;
      if (sequence.type_ids != nullptr) types.data_ptr<int64_t>()[row] = sequence.type_ids[t];
      example.data_ptr<int64_t>()[row] = sequence.example;
    }
  }
  batch.ids = ids.to(device);
  batch.positions = positions.to(device);
  if (typed) batch.token_types = types.to(device);
  batch.rows.example = example.to(device);
  batch.rows.token = batch.positions;
  return batch;
}

}  // namespace mixtune
