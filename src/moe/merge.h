// Merges adapters into the weights of a model.
#pragma once

#include "nn/sites.h"

namespace mixtune {

// Merges the adapter of every linear into its weight and bias and empties the slots. UserError if
// an adapter depends on the input (experts, mixed layers): no constant weight is equivalent to it.
void merge_adapters(Sites& sites);

// The first site whose adapter cannot be merged; nullopt if all can.
std::optional<std::string> first_unmergeable(const Sites& sites);

}  // namespace mixtune
