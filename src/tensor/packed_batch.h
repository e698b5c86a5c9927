// A batch is one row of tokens: no padding, no masks. Legend: T tokens, S sequences.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

// Goes wherever activations go: for each row of an activation, whose it is.
struct SequenceLayout {
  std::vector<int64_t>
      offsets;     // [S + 1] on the host: sequence s is rows offsets[s] to offsets[s + 1]
  Tensor example;  // [T] int64: the example's number in its data set
  Tensor token;    // [T] int64: the token's number in its example
  // [S] tokens at the start of each sequence that are its prompt: they may vote and carry no loss.
  // Empty: no sequence has one.
  std::vector<int64_t> prompt = {};
  // [S] the example group of each sequence (a field of the data), -1: none. Empty: all of
  // none.
  std::vector<int64_t> example_group = {};

  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t tokens() const { return offsets.back(); }
  int64_t length(int64_t sequence) const { return offsets[sequence + 1] - offsets[sequence]; }

  // For each row its sequence: [T] int64, on the device of `example`.
  Tensor sequence_of_row() const;
  // For each sequence its example, on the host.
  std::vector<int64_t> example_of_sequence() const;
};

// Some sequences of `rows`, in the given order, and the row numbers they came from ([T'] int64).
struct SelectedRows {
  SequenceLayout rows;
  Tensor index;
};
SelectedRows select_sequences(const SequenceLayout& rows, const std::vector<int64_t>& sequences);

// One row of each sequence, given by its number among all rows: what a classification head reads.
// Prompts are left behind: they are counted in rows of whole sequences.
SelectedRows select_rows(const SequenceLayout& rows, const std::vector<int64_t>& chosen);
SelectedRows first_rows(const SequenceLayout& rows);

struct PackedBatch {
  Tensor ids;          // [T] int64
  Tensor positions;    // [T] int64, from 0; models shift them (RoBERTa)
  Tensor token_types;  // [T] int64, or undefined: all zero
  SequenceLayout rows;
};

// One sequence to pack. `type_ids` may be empty.
struct SequenceView {
  const int32_t* ids;
  const int32_t* type_ids;
  int64_t length;
  int64_t example;
  int64_t prompt = 0;          // tokens at the start that are the prompt
  int64_t example_group = -1;  // of the example; -1: none
};

// Packs sequences (each at least one token) into tensors on `device`.
PackedBatch pack(const std::vector<SequenceView>& sequences, const at::Device& device);

}  // namespace mixtune
