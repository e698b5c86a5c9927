#include "moe/routing.h"

#include <cmath>

#include "base/scalars.h"

namespace mixtune {
namespace {

void check_threshold(const EntropySwitch& entropy_switch, int64_t experts,
                     const std::string& where) {
  const double largest = entropy_switch.entropy.largest(experts);
  if (entropy_switch.entropy.normalized ? entropy_switch.threshold <= 1
                                        : entropy_switch.threshold < largest)
    return;
  throw UserError(
      where,
      "the entropy threshold is " + print_number(entropy_switch.threshold) +
          "; no entropy is above " +
          (entropy_switch.entropy.normalized ? std::string("1, because entropies are normalized")
                                             : print_number(std::round(largest * 1e4) / 1e4) +
                                                   " with " + std::to_string(experts) + " experts"),
      "Lower it, or set it to 1 with normalized entropies to switch it off.");
}

}  // namespace

Routing Routing::of_layer(int64_t layer, int64_t layers, const std::string& where) const {
  Routing out = *this;
  if (auto own = selection->of_layer(layer, layers, where + ".selection"))
    out.selection = std::move(own);
  return out;
}

void Routing::check(int64_t experts, const std::string& where) const {
  selection->check(experts, where);
  if (!entropy_switch) return;
  if (entropy_switch->is_on() && experts < 2)
    throw UserError(where + ".num_experts",
                    "is " + std::to_string(experts) + "; an entropy needs at least 2 experts",
                    "Use more experts, or no entropy switch.");
  if (entropy_switch->is_on()) entropy_switch->entropy.check(where);
  check_threshold(*entropy_switch, experts, where);
}

Tensor Routed::entropy(const Entropy& entropy) const {
  if (entropy_kind && *entropy_kind == entropy) return entropies;
  return entropy.of(probabilities);
}

Routed Routed::of_tokens(const Tensor& index) const {
  const auto some = [&](const Tensor& t) { return t.defined() ? t.index_select(0, index) : t; };
  return {some(probabilities), some(weights),   some(mask),  some(all_experts),
          some(logits),        some(entropies), entropy_kind};
}

Routed route(const Tensor& probabilities, const Routing& routing) {
  Routed out{.probabilities = probabilities,
             .weights = {},
             .mask = routing.selection->mask(probabilities.detach()),
             .all_experts = {}};
  if (routing.entropy_switch && routing.entropy_switch->is_on()) {
    out.entropy_kind = routing.entropy_switch->entropy;
    out.entropies = routing.entropy_switch->entropy.of(probabilities);               // [T]
    out.all_experts = out.entropies.detach() > routing.entropy_switch->threshold;    // [T]
    out.mask = out.mask.maximum(out.all_experts.to(out.mask.dtype()).unsqueeze(1));  // [T, E]
  }
  out.weights = probabilities * out.mask;
  if (routing.renormalizes) out.weights = out.weights / out.weights.sum(1, true);
  return out;
}

Routed route_scores(const Tensor& scores, const Routing& routing) {
  Routed out = route(routing.scoring->of(scores), routing);
  out.logits = scores;
  return out;
}

Routed route_call(const Tensor& scores, int64_t experts, const Routing& routing, const Call& call,
                  const std::string& site) {
  MIXTUNE_CHECK(scores.size(1) % experts == 0, shape_text(scores));
  const auto by_router = [&](const Tensor& x) { return x.reshape({-1, experts}); };  // [T M, E]
  if (routing.scope.of == RoutingScope::Of::scores)
    return route_scores(by_router(pooled(scores, routing.scope, call, site)), routing);
  const Tensor weights = routing.scoring->of(by_router(scores)).reshape(scores.sizes());
  Routed out = route(by_router(pooled(weights, routing.scope, call, site)), routing);
  out.logits = by_router(scores);
  return out;
}

}  // namespace mixtune
