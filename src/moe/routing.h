// How tokens are routed to experts: what is pooled, their scores as weights, a selection, an
// entropy switch, and what the chosen experts weigh. Legend: T tokens, M routers, E experts.
#pragma once

#include "moe/entropy.h"
#include "moe/gate/gate.h"
#include "moe/routing_scope.h"
#include "moe/scoring/scoring.h"
#include "moe/selection/selection.h"

namespace mixtune {

// Where the entropy of a token's probabilities is above the threshold, it uses every expert
// (DynMoLE, arXiv 2504.00661). A threshold of 1 or more switches it off, but for entropies that are
// not normalised: of those none is above `largest`.
struct EntropySwitch {
  Entropy entropy;
  double threshold = 0.9;

  bool is_on() const { return !entropy.normalized || threshold < 1; }
};

struct Routing {
  std::shared_ptr<const Selection> selection;
  std::optional<EntropySwitch> entropy_switch = std::nullopt;
  bool renormalizes = false;  // the weights of a token's experts sum to one
  std::shared_ptr<const Scoring> scoring = softmax_scoring();
  Choice gate = linear_gate();
  RoutingScope scope = {};  // of scores or of what they are squashed to

  // Of block `layer` of `layers`: where the selection differs by layer, with that of this one.
  Routing of_layer(int64_t layer, int64_t layers, const std::string& where) const;
  // UserError for a number of experts that it cannot route to. `where` is the method, whose options
  // may have other names than the parts': the text names none.
  void check(int64_t experts, const std::string& where) const;
};

// What a router decided for some tokens.
struct Routed {
  Tensor probabilities, weights;  // [T, E], in the graph
  Tensor mask;                    // [T, E] zeros and ones
  Tensor everything;              // [T] bool: tokens that the switch sent to all; undefined without
  // [T, E], the scores, pooled where they are what is pooled; undefined where a loss needs none.
  Tensor logits = {};

  // The entropies of the switch, in the graph, and which they are: pow is dear, so a loss of the
  // same entropy takes them from here.
  Tensor entropies = {};
  std::optional<Entropy> entropy_kind = std::nullopt;
  Tensor entropy(const Entropy& entropy) const;  // [T]

  // Some of the tokens, by number [T'].
  Routed of_tokens(const Tensor& index) const;
};

// From the router's probabilities, or weights before a selection, in fp32; from its scores [T, E].
Routed route(const Tensor& probabilities, const Routing& routing);
Routed route_scores(const Tensor& scores, const Routing& routing);
// A call of M routers of the same linear group, or of one: their scores [T, M E] to T M decisions
// in the order of rows, pooled as the routing says. `site` tells its routers from others.
Routed route_call(const Tensor& scores, int64_t experts, const Routing& routing, const Call& call,
                  const std::string& site);

}  // namespace mixtune
