// Adapters folded into the weights of a model.
#pragma once

#include "nn/sites.h"

namespace mixtune {

// Folds the adapter of every linear into its weight and bias and empties the slots. UserError where
// what is attached depends on the input (experts, mixed layers), so that no weight says the same.
void merge_adapters(Sites& sites);

// The first place at which merge_adapters would refuse; nothing where all of it can be folded in.
std::optional<std::string> first_unmergeable(const Sites& sites);

}  // namespace mixtune
