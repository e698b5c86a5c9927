// What experts and routers start with, whatever they stand on.
#include <algorithm>
#include <cmath>

#include "moe/bank/banks.h"

namespace molt {

double MixtureBank::scaling(int64_t rank) const {
  const auto r = static_cast<double>(rank);
  return alpha / (rank_stabilised ? std::sqrt(r) : r);
}

std::vector<int64_t> MixtureBank::ranks_at(int64_t layer) const {
  const int64_t count = experts.at(layer);
  if (expert_ranks.empty()) return std::vector<int64_t>(count, ranks.at(layer));
  return {expert_ranks.begin(), expert_ranks.begin() + count};
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
  if (expert_ranks.empty()) return;
  const int64_t most = *std::max_element(experts.begin(), experts.end());
  if (static_cast<int64_t>(expert_ranks.size()) != most)
    throw UserError(method + ".expert_ranks",
                    "has " + std::to_string(expert_ranks.size()) +
                        " numbers; the layer with most experts has " + std::to_string(most),
                    "Give a rank for each of its experts; layers with fewer take the first ones.");
}

}  // namespace molt
