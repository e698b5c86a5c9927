// Routing of tokens to experts: scores are pooled over the routing scope, scoring turns them into
// weights, a selection and an entropy switch choose experts, whose weights may be renormalized.
// Legend: T tokens, M routers, E experts.
#pragma once

#include "moe/entropy.h"
#include "moe/gate/gate.h"
#include "moe/routing_scope.h"
#include "moe/scoring/scoring.h"
#include "moe/selection/selection.h"

namespace mixtune {

// A token whose probabilities have an entropy above the threshold uses every expert (DynMoLE, arXiv
// 2504.00661). With normalized entropies a threshold of 1 or more switches this off. Entropies that
// are not normalized can reach `largest`.
struct EntropySwitch {
  Entropy entropy;
  double threshold = 0.9;

  bool is_on() const { return !entropy.normalized || threshold < 1; }
};

struct Routing {
  std::shared_ptr<const Selection> selection;
  std::optional<EntropySwitch> entropy_switch = std::nullopt;
  bool renormalizes = false;  // rescale the weights of a token's experts to sum to one
  std::shared_ptr<const Scoring> scoring = softmax_scoring();
  Choice gate = linear_gate();
  RoutingScope scope = {};  // over which scores or probabilities are pooled

  // The routing of layer `layer` of `layers`: if the selection differs by layer, with that layer's
  // selection.
  Routing of_layer(int64_t layer, int64_t layers, const std::string& where) const;
  // UserError if it cannot route to this number of experts. `where` is the method. The message
  // names no options, since the method's options may have other names than those of the parts.
  void check(int64_t experts, const std::string& where) const;
};

// The decisions of a router for some tokens.
struct Routed {
  Tensor probabilities, weights;  // [T, E], in the graph
  Tensor mask;                    // [T, E] zeros and ones
  Tensor all_experts;             // [T] bool: sent to all experts; undefined without a switch
  // [T, E], the scores, pooled if the scope pools scores; undefined if no loss needs them.
  Tensor logits = {};

  // The entropies of the switch, in the graph, and their definition. pow is slow, so a loss with
  // the same entropy reuses them.
  Tensor entropies = {};
  std::optional<Entropy> entropy_kind = std::nullopt;
  Tensor entropy(const Entropy& entropy) const;  // [T]

  // The decisions of the tokens with these indices [T'].
  Routed of_tokens(const Tensor& index) const;
};

// Routes by probabilities (weights before the selection, in fp32), or by scores; [T, E] both.
Routed route(const Tensor& probabilities, const Routing& routing);
Routed route_scores(const Tensor& scores, const Routing& routing);
// Routes one call of M routers of the same linear group: scores [T, M E] to T M decisions in the
// order of rows, pooled over the routing scope. `site` identifies the routers.
Routed route_call(const Tensor& scores, int64_t experts, const Routing& routing, const Call& call,
                  const std::string& site);

}  // namespace mixtune
