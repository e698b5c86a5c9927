#include "moe/entropy.h"

#include <cmath>

#include "base/scalars.h"

namespace mixtune {

double Entropy::largest(int64_t experts) const {
  const auto n = static_cast<double>(experts);
  if (kind != Kind::tsallis || index == 1) return std::log(n);
  return (1 - std::pow(n, 1 - index)) / (index - 1);
}

Tensor Entropy::of(const Tensor& probabilities) const {
  // Without eps, a probability that underflowed to zero has no finite logarithm.
  const Tensor p = eps > 0 ? probabilities + eps : probabilities.clamp_min(1e-30);
  Tensor out;
  if (kind == Kind::shannon || index == 1)
    out = -(p * p.log()).sum(1);
  else if (kind == Kind::tsallis)
    out = (1 - p.pow(index).sum(1)) / (index - 1);
  else
    out = (p.pow(index).sum(1) + 1e-10).log() / (1 - index);
  return normalized ? out / largest(probabilities.size(1)) : out;
}

void Entropy::check(const std::string& where) const {
  const double distance = std::abs(index - 1);
  if (kind == Kind::shannon || eps == 0 || distance == 0 || distance >= 0.01) return;
  throw UserError(where,
                  "the index of the entropy is " + print_number(index) + " and eps " +
                      print_number(eps) + "; expected an index of 1, or at least 0.01 away from 1",
                  "Set the index to 1, or eps to 0.");
}

Entropy::Kind entropy_kind(const std::string& name) {
  if (name == "tsallis") return Entropy::Kind::tsallis;
  if (name == "renyi") return Entropy::Kind::renyi;
  MIXTUNE_CHECK(name == "shannon", "entropy " + name);
  return Entropy::Kind::shannon;
}

}  // namespace mixtune
