// A batch is one row of tokens without padding and padding masks; a SequenceLayout describes which
// row belongs to which sequence. Legend: T tokens, S sequences.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

// Passed along with activations: for each row of an activation, its sequence, example and token.
struct SequenceLayout {
  // [S + 1] on the host: sequence s has the rows [offsets[s], offsets[s + 1]).
  std::vector<int64_t> offsets;
  Tensor example;  // [T] int64: index of the example in its data set
  Tensor token;    // [T] int64: index of the token in its example
  // [S] length of the prompt at the start of each sequence; prompt tokens may determine the routing
  // and have no loss. Empty: no sequence has a prompt.
  std::vector<int64_t> prompt = {};
  // [S] example group of each sequence (a field of the data); -1: none. Empty: no sequence has one.
  std::vector<int64_t> example_group = {};

  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t tokens() const { return offsets.back(); }
  int64_t length(int64_t sequence) const { return offsets[sequence + 1] - offsets[sequence]; }

  // The sequence of each row: [T] int64, on the device of `example`.
  Tensor sequence_of_row() const;
  // The example of each sequence, on the host.
  std::vector<int64_t> example_of_sequence() const;
};

// Some sequences of `rows`, in the given order, and the indices of their rows ([T'] int64).
struct SelectedRows {
  SequenceLayout rows;
  Tensor index;
};
SelectedRows select_sequences(const SequenceLayout& rows, const std::vector<int64_t>& sequences);

// One row per sequence, given by its index among all rows, as input of a classification head. The
// result has no prompts, whose lengths refer to complete sequences.
SelectedRows select_rows(const SequenceLayout& rows, const std::vector<int64_t>& chosen);
SelectedRows first_rows(const SequenceLayout& rows);

struct PackedBatch {
  Tensor ids;          // [T] int64
  Tensor positions;    // [T] int64, from 0; models may shift them (RoBERTa)
  Tensor token_types;  // [T] int64, or undefined: all zero
  SequenceLayout rows;
};

// One sequence to pack. `type_ids` may be null.
struct SequenceView {
  const int32_t* ids;
  const int32_t* type_ids;
  int64_t length;
  int64_t example;
  int64_t prompt = 0;          // number of prompt tokens at the start
  int64_t example_group = -1;  // -1: none
};

// Packs sequences (each at least one token) into tensors on `device`.
PackedBatch pack(const std::vector<SequenceView>& sequences, const at::Device& device);

}  // namespace mixtune
