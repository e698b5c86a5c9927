// How undecided a router is. Legend: T tokens, E experts.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

// Of probabilities p with eps added to each (not normalised again, as in the released DynMoLE):
// tsallis: (1 - sum p^q) / (q - 1), for q = 1 the Shannon entropy; renyi: ln(sum p^q + 1e-10) / (1
// - q); shannon: -sum p ln p. Normalised: divided by the value of equal probabilities, so 0 to 1
// but for eps.
struct Entropy {
  enum class Kind { tsallis, renyi, shannon } kind = Kind::tsallis;
  double index = 1.1;  // q
  double eps = 1e-5;
  bool normalized = true;

  bool operator==(const Entropy&) const = default;

  Tensor of(const Tensor& probabilities) const;  // [T, E] to [T], in the graph
  double largest(int64_t experts) const;         // of equal probabilities, eps aside

  // UserError for an index near 1 beside eps: it moves the sum of powers by about E eps, which the
  // division by q - 1 then makes large.
  void check(const std::string& where) const;
};

Entropy::Kind entropy_kind(const std::string& name);

}  // namespace mixtune
