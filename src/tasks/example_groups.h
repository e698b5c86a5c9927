// Kinds of examples, which an auxiliary loss may tell apart (LoRAMoE's localized balancing): a
// field of the training data whose values are numbered as labels are, so that equal values give
// equal numbers and nothing has to be saved.
#pragma once

#include <string>
#include <vector>

#include "tasks/task.h"

namespace mixtune {

// Gives each example of `set` the number of its group. `values`, one for each example: what stands
// in the field; empty: of no group. UserError unless there are two different ones; `field` is its
// name.
void number_groups(const std::vector<std::string>& values, const std::string& field, DataSet& set);

}  // namespace mixtune
