// Rotary position embeddings (Su et al. 2021, arXiv 2104.09864) in the layout of Hugging Face
// models: column j of a head is rotated with column j + d / 2. Legend: T tokens, d width of a head.
#pragma once

#include "tensor/packed_batch.h"

namespace mixtune {

// As `rope_parameters` (or rope_theta and rope_scaling) in config.json.
struct RotarySettings {
  int64_t width = 64;   // d
  double base = 10000;  // theta
  enum class Kind { plain, linear, dynamic, yarn, llama3 } kind = Kind::plain;
  double factor = 1;
  int64_t positions = 2048;                      // dynamic: the length from which the base grows
  int64_t original_positions = 2048;             // yarn, llama3: maximum length of pre-training
  double low_frequency = 1, high_frequency = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;          // yarn
  bool truncates = true;                         // yarn: round the bounds of the ramp
  std::optional<double> attention_factor = {}, mscale = {}, mscale_all = {};  // yarn
};

// The frequencies, [d / 2] float, for a sequence of `length` tokens (used by `dynamic` only).
Tensor rotary_frequencies(const RotarySettings& settings, int64_t length);

// The factor of cosine and sine: that of yarn, otherwise 1.
double rotary_amplitude(const RotarySettings& settings);

class Rotary {
 public:
  explicit Rotary(RotarySettings settings) : settings_(settings) {}

  // Rotates the first `heads` heads of each row of x [T, columns] by the row's position. `rows` is
  // the layout of x, `whole` that of the complete sequences, whose lengths select the table.
  Tensor forward(const Tensor& x, int64_t heads, const SequenceLayout& rows,
                 const SequenceLayout& whole);

 private:
  struct Table {
    Tensor cosine, sine;  // [positions, d / 2]
  };
  const Table& table(int64_t length);

  RotarySettings settings_;
  std::map<int64_t, Table>
      tables_;  // by length for stretched `dynamic`, otherwise 0; grown on demand
};

}  // namespace mixtune
