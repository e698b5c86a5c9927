// The entropy of routing probabilities, a measure of a router's uncertainty. Legend: T tokens, E
// experts.
#pragma once

#include "tensor/tensor.h"

namespace mixtune {

// The entropy of probabilities p after eps is added to each (without renormalization, as in the
// authors' DynMoLE code). tsallis: (1 - sum p^q) / (q - 1), and for q = 1 the Shannon entropy;
// renyi: ln(sum p^q + 1e-10) / (1 - q); shannon: -sum p ln p. Normalized: divided by the value for
// equal probabilities, which gives 0 to 1 up to the effect of eps.
struct Entropy {
  enum class Kind { tsallis, renyi, shannon } kind = Kind::tsallis;
  double index = 1.1;  // q
  double eps = 1e-5;
  bool normalized = true;

  bool operator==(const Entropy&) const = default;

  Tensor of(const Tensor& probabilities) const;  // [T, E] to [T], in the graph
  double largest(int64_t experts) const;         // the value for equal probabilities, without eps

  // UserError if the index is close to 1 and eps is not 0: eps changes the sum of powers by about E
  // eps, which the division by q - 1 then amplifies.
  void check(const std::string& where) const;
};

Entropy::Kind entropy_kind(const std::string& name);

}  // namespace mixtune
