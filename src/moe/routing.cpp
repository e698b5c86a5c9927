#include "moe/routing.h"

#include <cmath>

#include "base/scalars.h"

namespace mixtune {
namespace {

void check_threshold(const Broadcast& broadcast, int64_t experts, const std::string& where) {
  const double largest = broadcast.entropy.largest(experts);
  if (broadcast.entropy.normalised ? broadcast.threshold <= 1 : broadcast.threshold < largest)
    return;
  throw UserError(
      where,
      "the entropy threshold is " + print_number(broadcast.threshold) + "; no entropy is above " +
          (broadcast.entropy.normalised ? std::string("1, as they are normalised")
                                        : print_number(std::round(largest * 1e4) / 1e4) + " with " +
                                              std::to_string(experts) + " experts"),
      "Lower it, or set it to 1 with normalised entropies to switch it off.");
}

}  // namespace

Routing Routing::of_layer(int64_t layer, int64_t layers, const std::string& where) const {
  Routing out = *this;
  if (auto own = select->of_layer(layer, layers, where + ".select")) out.select = std::move(own);
  return out;
}

void Routing::check(int64_t experts, const std::string& where) const {
  select->check(experts, where);
  if (!broadcast) return;
  if (broadcast->is_on() && experts < 2)
    throw UserError(where + ".experts",
                    "is " + std::to_string(experts) + "; an entropy needs at least 2 experts",
                    "Take more experts, or no entropy switch.");
  if (broadcast->is_on()) broadcast->entropy.check(where);
  check_threshold(*broadcast, experts, where);
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
  if (routing.broadcast && routing.broadcast->is_on()) {
    out.entropy_kind = routing.broadcast->entropy;
    out.entropies = routing.broadcast->entropy.of(probabilities);                   // [T]
    out.everything = out.entropies.detach() > routing.broadcast->threshold;         // [T]
    out.mask = out.mask.maximum(out.everything.to(out.mask.dtype()).unsqueeze(1));  // [T, E]
  }
  out.weights = probabilities * out.mask;
  if (routing.renormalises) out.weights = out.weights / out.weights.sum(1, true);
  return out;
}

Routed route_scores(const Tensor& scores, const Routing& routing) {
  Routed out = route(routing.squash->of(scores), routing);
  out.logits = scores;
  return out;
}

Routed route_call(const Tensor& scores, int64_t experts, const Routing& routing, const Call& call,
                  const std::string& site) {
  MIXTUNE_CHECK(scores.size(1) % experts == 0, shape_text(scores));
  const auto by_router = [&](const Tensor& x) { return x.reshape({-1, experts}); };  // [T M, E]
  if (routing.pool.of == Pool::Of::scores)
    return route_scores(by_router(pooled(scores, routing.pool, call, site)), routing);
  const Tensor weights = routing.squash->of(by_router(scores)).reshape(scores.sizes());
  Routed out = route(by_router(pooled(weights, routing.pool, call, site)), routing);
  out.logits = by_router(scores);
  return out;
}

}  // namespace mixtune
