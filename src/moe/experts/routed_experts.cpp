// Initialization, checks and registration that all low-rank experts share, on linears and on
// feed-forwards.
#include <cmath>

#include "moe/experts/adapters.h"

namespace mixtune {

double RoutedExperts::scaling(int64_t rank) const {
  const auto r = static_cast<double>(rank);
  return alpha / (rank_stabilized ? std::sqrt(r) : r);
}

Tensor initial_lora_a(int64_t rank, int64_t in, bool is_gaussian, RandomKey key) {
  if (is_gaussian) return normal_tensor({rank, in}, 1 / static_cast<double>(rank), key);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  return uniform_tensor({rank, in}, -bound, bound, key);
}

Tensor RoutedExperts::first_router(int64_t experts, int64_t in, RandomKey key) const {
  if (router_deviation) return normal_tensor({experts, in}, *router_deviation, key);
  const double bound = std::sqrt(6 / ((1 + router_range) * static_cast<double>(in)));
  return uniform_tensor({experts, in}, -bound, bound, key);
}

void RoutedExperts::check_layers(const Sites& sites) const {
  const int64_t layers = sites.stack ? sites.stack->size() : 1;
  MIXTUNE_CHECK(static_cast<int64_t>(experts.size()) == layers && experts.size() == ranks.size(),
                "experts and ranks for each layer");
}

std::unique_ptr<Gate> RoutedExperts::attach_gate(const Choice& choice, const GateShape& shape,
                                                 const std::string& name,
                                                 Attachment& attachment) const {
  auto gate = make_gate(choice, shape, derive(attachment.seed, name));
  if (!gate->is_of_tokens())
    throw UserError(method + ".gate",
                    "normalizes over whole sequences; experts route single tokens",
                    "Leave axis out; axis: sequence applies to layer experts (MoLEx) only.");
  for (auto& [own, tensor] : gate->tensors())
    attachment.train(tensor, name + "." + own, "router", true);
  return gate;
}

void RoutedExperts::finish(const Routing& routing, const SiteRouterLosses& router_losses,
                           Sites& sites, Attachment& attachment) const {
  const bool pools = routing.scope.level != RoutingScope::Level::token;
  // Losses count every token, and a capacity limit depends on every token.
  if (sites.stack && (!router_losses.empty() || capacity)) sites.stack->trains_every_row = true;
  if (sites.stack && pools) sites.stack->runs_every_row = true;
  attachment.groups["router"] = router_settings;
  if (causal && !routing.scope.is_causal())
    attachment.warnings.push_back(warning_of_later_tokens(routing.scope, method));
  add_losses(router_losses, attachment);
}

}  // namespace mixtune
