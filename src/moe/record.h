// What a router of experts leaves for pictures.
#pragma once

#include "moe/routing.h"
#include "nn/context.h"

namespace mixtune {

// Adds the load, the normalised entropies and the broadcasts of one pass to those of `site`.
void record_routing(const std::string& site, const Routed& routed, RoutingRecord& record);

}  // namespace mixtune
