// Routing statistics for charts.
#pragma once

#include "moe/routing.h"
#include "nn/context.h"

namespace mixtune {

// Adds the expert load, the entropies and the tokens sent to all experts in one pass to the record
// of `site`.
void record_routing(const std::string& site, const Routed& routed, RoutingRecord& record);

}  // namespace mixtune
