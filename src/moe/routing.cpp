#include "moe/routing.h"

#include "base/scalars.h"

namespace molt {
namespace {

bool switches(const Broadcast& broadcast) {
  return !broadcast.entropy.normalised || broadcast.threshold < 1;
}

void check_threshold(const Broadcast& broadcast, int64_t experts, const std::string& where) {
  const double largest = broadcast.entropy.largest(experts);
  if (broadcast.entropy.normalised ? broadcast.threshold <= 1 : broadcast.threshold < largest)
    return;
  throw UserError(where + ".threshold",
                  "is " + print_number(broadcast.threshold) + "; no entropy is above " +
                      (broadcast.entropy.normalised ? std::string("1, as they are normalised")
                                                    : print_number(largest) + " with " +
                                                          std::to_string(experts) + " experts"),
                  "Lower it, or set it to 1 with normalised entropies to switch it off.");
}

}  // namespace

void Routing::check(int64_t experts, const std::string& where) const {
  select->check(experts, where + ".select");
  if (!broadcast) return;
  if (switches(*broadcast) && experts < 2)
    throw UserError(where + ".experts",
                    "is " + std::to_string(experts) + "; an entropy needs at least 2 experts",
                    "Take more experts, or no entropy switch.");
  check_threshold(*broadcast, experts, where + ".broadcast");
}

Tensor Routed::entropy(const Entropy& entropy) const {
  if (entropy_kind && *entropy_kind == entropy) return entropies;
  return entropy.of(probabilities);
}

Routed Routed::of_tokens(const Tensor& index) const {
  const auto some = [&](const Tensor& t) { return t.defined() ? t.index_select(0, index) : t; };
  return {some(probabilities), some(weights),   some(mask),  some(everything),
          some(logits),        some(entropies), entropy_kind};
}

Routed route(const Tensor& probabilities, const Routing& routing) {
  Routed out{.probabilities = probabilities,
             .weights = {},
             .mask = routing.select->mask(probabilities.detach()),
             .everything = {}};
  if (routing.broadcast && switches(*routing.broadcast)) {
    out.entropy_kind = routing.broadcast->entropy;
    out.entropies = routing.broadcast->entropy.of(probabilities);                   // [T]
    out.everything = out.entropies.detach() > routing.broadcast->threshold;         // [T]
    out.mask = out.mask.maximum(out.everything.to(out.mask.dtype()).unsqueeze(1));  // [T, E]
  }
  out.weights = probabilities * out.mask;
  if (routing.renormalises) out.weights = out.weights / out.weights.sum(1, true);
  return out;
}

}  // namespace molt
