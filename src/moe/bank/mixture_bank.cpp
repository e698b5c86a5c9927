// What experts and routers start with, whatever they stand on.
#include <cmath>

#include "moe/bank/banks.h"

namespace molt {

double MixtureBank::scaling(int64_t rank) const {
  const auto r = static_cast<double>(rank);
  return alpha / (rank_stabilised ? std::sqrt(r) : r);
}

Tensor drawn_down(int64_t rank, int64_t in, bool is_gaussian, RandomKey key) {
  if (is_gaussian) return normal_tensor({rank, in}, 1 / static_cast<double>(rank), key);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  return uniform_tensor({rank, in}, -bound, bound, key);
}

Tensor MixtureBank::first_router(int64_t experts, int64_t in, RandomKey key) const {
  if (router_deviation) return normal_tensor({experts, in}, *router_deviation, key);
  const double bound = std::sqrt(6 / ((1 + router_range) * static_cast<double>(in)));
  return uniform_tensor({experts, in}, -bound, bound, key);
}

void MixtureBank::check_layers(const Sites& sites) const {
  const int64_t layers = sites.stack ? sites.stack->size() : 1;
  MOLT_CHECK(static_cast<int64_t>(experts.size()) == layers && experts.size() == ranks.size(),
             "experts and ranks for each layer");
}

}  // namespace molt
