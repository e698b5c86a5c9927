// What routers did, for files and for people. Legend: P positions, B blocks, E experts.
#pragma once

#include "nn/context.h"
#include "tensor/tensor_file.h"

namespace mixtune {

// As routing.safetensors holds it. Of layer routers: `choices` [P, B], `entropy` and `tokens` [P].
// Of the router of each linear: `<module>.load` [E], how many tokens used each expert, and
// `<module>.routing` [3], the tokens, their mean entropy (a share of the largest) and the share of
// them that an entropy switch sent to all experts. Empty where nothing routed.
std::vector<std::pair<std::string, Tensor>> routing_tensors(const RoutingRecord& record);

// One line on the routers of linears: "experts: 3.4 of 6 a token, entropy 0.83, 41 % of tokens sent
// to all"; empty without.
std::string routing_line(const RoutingRecord& record);

}  // namespace mixtune
