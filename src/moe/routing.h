// How tokens are routed to experts: softmax of a linear score, a selection, an entropy switch, and
// what the chosen experts weigh. Legend: T tokens, E experts.
#pragma once

#include "moe/entropy.h"
#include "moe/select/select.h"

namespace molt {

// Where the entropy of a token's probabilities is above the threshold, it uses every expert
// (DynMoLE, arXiv 2504.00661). A threshold of 1 or more switches it off, but for entropies that are
// not normalised: of those none is above `largest`.
struct Broadcast {
  Entropy entropy;
  double threshold = 0.9;
};

struct Routing {
  std::shared_ptr<const Select> select;
  std::optional<Broadcast> broadcast = std::nullopt;
  bool renormalises = false;  // the weights of a token's experts sum to one

  // UserError, with `where` as the key, for a number of experts that it cannot route to.
  void check(int64_t experts, const std::string& where) const;
};

// What a router decided for some tokens.
struct Routed {
  Tensor probabilities, weights;  // [T, E], in the graph
  Tensor mask;                    // [T, E] zeros and ones
  Tensor everything;              // [T] bool: tokens that the switch sent to all; undefined without
  Tensor logits = {};             // [T, E] of the router; undefined where a loss needs none

  // The entropies of the switch, in the graph, and which they are: pow is dear, so a loss of the
  // same entropy takes them from here.
  Tensor entropies = {};
  std::optional<Entropy> entropy_kind = std::nullopt;
  Tensor entropy(const Entropy& entropy) const;  // [T]

  // Some of the tokens, by number [T'].
  Routed of_tokens(const Tensor& index) const;
};

// From the router's probabilities, in fp32.
Routed route(const Tensor& probabilities, const Routing& routing);

}  // namespace molt
