// Rotary position embeddings (Su et al. 2021, arXiv 2104.09864) in the layout of Hugging Face
// models: column j of a head is turned together with column j + d / 2. Legend: T tokens, d width of
// a head.
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
  int64_t original_positions = 2048;             // yarn, llama3: of the pre-training
  double low_frequency = 1, high_frequency = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;          // yarn
  bool truncates = true;                         // yarn: whole numbers bound the ramp
  std::optional<double> attention_factor = {}, mscale = {}, mscale_all = {};  // yarn
};

// The frequencies, [d / 2] float, for a sequence of `length` tokens (it matters to `dynamic`
// alone).
Tensor rotary_frequencies(const RotarySettings& settings, int64_t length);

// What cosine and sine are multiplied with: of yarn; else 1.
double rotary_amplitude(const RotarySettings& settings);

class Rotary {
 public:
  explicit Rotary(RotarySettings settings) : settings_(settings) {}

  // Turns the first `heads` heads of each row of x [T, columns] by the row's position. `rows`:
  // those of x; `whole`: those of the whole sequences, whose lengths count.
  Tensor forward(const Tensor& x, int64_t heads, const SequenceLayout& rows,
                 const SequenceLayout& whole);

 private:
  struct Table {
    Tensor cosine, sine;  // [positions, d / 2]
  };
  const Table& table(int64_t length);

  RotarySettings settings_;
  std::map<int64_t, Table> tables_;  // by the length that matters; grown as needed
};

}  // namespace mixtune
