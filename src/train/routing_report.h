// Converts the routing statistics of a run to tensors for files and to a line of text.
// Legend: P positions, B layers, E experts.
#pragma once

#include "nn/context.h"
#include "tensor/tensor_file.h"

namespace mixtune {

// The tensors of routing.safetensors. Layer routers: `choices` [P, B], `entropy` and `tokens` [P].
// The router of each linear: `<module>.load` [E], the number of tokens per expert, and
// `<module>.routing` [3], the number of tokens, their mean normalized entropy and the share of
// tokens that an entropy switch sent to all experts. Empty if the method does not route.
std::vector<std::pair<std::string, Tensor>> routing_tensors(const RoutingRecord& record);

// A line about the routers of linears: "experts: 3.4 of 6 a token, entropy 0.83, 41 % of tokens
// sent to all". Empty if there are none.
std::string routing_line(const RoutingRecord& record);

}  // namespace mixtune
