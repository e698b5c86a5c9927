#include "moe/routing.h"

namespace molt {

void Routing::check(int64_t experts, const std::string& where) const {
  select->check(experts, where + ".select");
  if (broadcast && broadcast->threshold < 1 && experts < 2)
    throw UserError(where,
                    "has " + std::to_string(experts) + " expert; an entropy needs at least 2",
                    "Take more experts, or no entropy switch.");
}

Routed route(const Tensor& probabilities, const Routing& routing) {
  Routed out{.probabilities = probabilities,
             .weights = {},
             .mask = routing.select->mask(probabilities),
             .everything = {}};
  if (routing.broadcast && routing.broadcast->threshold < 1) {
    const at::NoGradGuard no_grad;
    out.everything =
        routing.broadcast->entropy.of(probabilities) > routing.broadcast->threshold;  // [T]
    out.mask = at::where(out.everything.unsqueeze(1), at::ones_like(out.mask), out.mask);
  }
  out.weights = probabilities * out.mask;
  if (routing.renormalises) out.weights = out.weights / out.weights.sum(1, true);
  return out;
}

}  // namespace molt
