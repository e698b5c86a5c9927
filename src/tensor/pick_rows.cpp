#include "tensor/pick_rows.h"

namespace mixtune {

SelectedRows pick_rows(const SequenceLayout& rows,
                       const std::vector<std::vector<int64_t>>& chosen) {
  MIXTUNE_CHECK(static_cast<int64_t>(chosen.size()) == rows.sequences(),
                "expected rows for each sequence");
  SelectedRows out;
  out.rows.offsets.push_back(0);
  std::vector<int64_t> index;
  for (const std::vector<int64_t>& of_sequence : chosen) {
    index.insert(index.end(), of_sequence.begin(), of_sequence.end());
    out.rows.offsets.push_back(static_cast<int64_t>(index.size()));
  }
  out.index = at::tensor(index, at::kLong).to(rows.example.device());
  out.rows.example = rows.example.index_select(0, out.index);
  out.rows.token = rows.token.index_select(0, out.index);
  return out;
}

}  // namespace mixtune
