// One sentence of the grammar: where (sites), who decides (router), what is added (bank), how it is
// combined and which losses it brings. A method is a list of sentences.
#pragma once

#include "moe/attachment.h"
#include "moe/routing.h"

namespace mixtune {

// Which sites. `targets` of linears: roles ("query"), module paths or their ends ("output.dense"),
// or regular expressions on the whole path; `layers`: block numbers, all by default.
struct SiteChoice {
  std::vector<std::string> targets;
  std::optional<std::vector<int64_t>> layers;
  std::vector<std::string> exclude = {};  // module paths or expressions that win over targets
};

// How the task reaches a router whose choice is an integer (docs/design.md, "MoLEx").
enum class GateGradient { none, probability, straight_through };

// Where the choice comes from. All but `learned` are controls: a gate frozen as it was drawn, a new
// draw for every unit and step, the block itself, the next block.
enum class ChoiceSource { learned, frozen, uniform, self, neighbor };

// Of layer experts: one decision for a unit of the pool.
struct RouterSpec {
  RoutingScope scope{.level = RoutingScope::Level::sequence, .of = RoutingScope::Of::votes};
  Choice gate = linear_gate();
  GateGradient gradient = GateGradient::none;
  ChoiceSource source = ChoiceSource::learned;
  bool per_site = false;  // a router for each site instead of one for all
  GroupSettings settings;
};

// a * own + o * borrowed. Learned: (a, o) is the softmax of two trained numbers that start as
// given; `raw`, compatibility: the two numbers themselves.
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
  std::vector<Choice> losses = {};                // of that routing: parts of src/moe/loss
  std::optional<Blend> blend = std::nullopt;
  double balance = 0;  // weight of the load-balancing loss; 0: off
  // Compatibility: a block that chose itself runs twice, and texts are written beside an averaged
  // cache (nn/decode_state.h).
  bool matches_reference = false;
};

// What a sentence adds. A bank is a file of src/moe/bank.
struct Adapter {
  virtual ~Adapter() = default;
  virtual void attach(const AdapterSpec& spec, Sites& sites, Attachment& attachment) const = 0;
};

}  // namespace mixtune
