// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011). A number is a pure function of
// a key (seed, site, call path, purpose) and a counter (column group, token, example, step): it
// does not depend on packing, accumulation, recomputation, the number of processes or an
// interruption.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

using RandomKey = uint64_t;

// Derives a key from a key and a word or a name. Order matters; collisions are those of a 64-bit
// hash.
RandomKey derive(RandomKey key, uint64_t word);
RandomKey derive(RandomKey key, std::string_view name);

// One Philox block: four 32-bit words.
struct PhiloxBlock {
  uint32_t word[4];
};
PhiloxBlock philox(RandomKey key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3);

// A number in [0, 1) with 53 random bits, and an integer in [0, bound) for small bounds (> 0).
double uniform_number(RandomKey key, uint64_t counter);
uint64_t random_integer(RandomKey key, uint64_t counter, uint64_t bound);

// A permutation of 0 .. count - 1 (Fisher-Yates with the stream of `key`).
std::vector<int64_t> permutation(RandomKey key, int64_t count);

// Fresh float tensors on the CPU from the stream of `key`, in row-major order of elements.
Tensor normal_tensor(at::IntArrayRef shape, double deviation, RandomKey key);
Tensor uniform_tensor(at::IntArrayRef shape, double low, double high, RandomKey key);

// Everything needed to compute a dropout mask, in the forward and again in the backward pass. A
// decision uses 16 bits, so the rate is rounded to a multiple of 1 / 65536; the scale follows the
// rounded rate.
struct DropoutMask {
  double probability = 0;  // 0: no dropout, the other fields are ignored
  RandomKey key = 0;
  uint32_t step = 0;
  Tensor example, token;  // [T] int64: the counter of each row

  bool active() const { return probability > 0; }
  uint32_t threshold() const;  // decisions below it drop the element
  float scale() const;         // 1 / (1 - rate)
};

// The factors of the mask, 0 or scale: [T, columns] fp32 on the device of its rows.
Tensor mask_factors(const DropoutMask& mask, int64_t columns);

// x * mask: [T, D] to [T, D], not tracked by autograd. `apply_mask_add` adds residual [T, D] in the
// same pass.
Tensor apply_mask(const Tensor& x, const DropoutMask& mask);
Tensor apply_mask_add(const Tensor& x, const Tensor& residual, const DropoutMask& mask);

// apply_mask tracked by autograd; the backward pass recomputes the mask.
Tensor dropout(const Tensor& x, const DropoutMask& mask);

// Writes `count` factors (0 or scale) of one row; attention uses it directly.
void mask_row(float* factors, int64_t count, RandomKey key, uint32_t token, uint32_t example,
              uint32_t step, uint32_t threshold, float scale);

// The instruction sets of the mask kernels that this processor supports, the one in use first. All
// of them give the same bits. `use_mask_kernels` selects one, for tests; it is not thread-safe.
std::vector<std::string> mask_kernel_names();
void use_mask_kernels(const std::string& name);

}  // namespace mixtune
