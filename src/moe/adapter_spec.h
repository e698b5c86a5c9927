// AdapterSpec: the sites, the router, the adapter that is added there, how outputs are blended, and
// the auxiliary losses. A method compiles to a list of specs, so new methods need no new code in
// the model.
#pragma once

#include "moe/attachment.h"
#include "moe/routing.h"

namespace mixtune {

// The sites to adapt. `targets` selects linears by role ("query"), by module path or its end
// ("output.dense"), or by a regular expression on the whole path; `layers`: layer indices, all by
// default.
struct SiteChoice {
  std::vector<std::string> targets;
  std::optional<std::vector<int64_t>> layers;
  std::vector<std::string> exclude = {};  // module paths or expressions that win over targets
};

// The gradient path from the task loss to a router whose choice is an integer (docs/design.md,
// "MoLEx").
enum class GateGradient { none, probability, straight_through };

// The source of the choice. All but `learned` are gate ablations: a gate frozen at initialization,
// a random choice resampled for every decision and step, the layer itself, the next layer.
enum class ChoiceSource { learned, frozen, uniform, self, neighbor };

// The router of layer experts: one decision per sequence, prompt or batch (its scope).
struct RouterSpec {
  RoutingScope scope{.level = RoutingScope::Level::sequence, .of = RoutingScope::Of::votes};
  Choice gate = linear_gate();
  GateGradient gradient = GateGradient::none;
  ChoiceSource source = ChoiceSource::learned;
  bool per_site = false;  // a router for each site instead of one for all
  GroupSettings settings;
};

// a * own + o * borrowed. Learned: (a, o) is the softmax of two trained numbers with these initial
// values; `raw`, for compatibility: the two numbers themselves.
struct Blend {
  double own = 0.5, other = 0.5;
  bool learned = false;
  bool per_site = false;
  bool raw = false;
};

struct Adapter;

struct AdapterSpec {
  SiteChoice sites;
  std::shared_ptr<const Adapter> adapter;
  std::optional<RouterSpec> router = std::nullopt;
  std::optional<Routing> routing = std::nullopt;  // of tokens to experts
  std::vector<Choice> losses = {};                // router losses: parts of src/moe/loss
  std::optional<Blend> blend = std::nullopt;
  double balance = 0;  // weight of the load-balancing loss; 0: off
  // Compatibility: a layer that selects itself runs twice, and generation uses an averaged cache
  // (nn/key_value_cache.h).
  bool matches_reference = false;
};

// The adapter or experts that a spec adds; each one is a file of src/moe/experts.
struct Adapter {
  virtual ~Adapter() = default;
  virtual void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const = 0;
};

}  // namespace mixtune
