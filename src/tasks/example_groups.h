// Example groups, which an auxiliary loss may distinguish (LoRAMoE's localized balancing): a field
// of the training data whose values are numbered like labels, so that equal values give equal
// numbers and nothing has to be saved.
#pragma once

#include <string>
#include <vector>

#include "tasks/task.h"

namespace mixtune {

// Sets the group number of each example of `set`. `values` has the value of the field for each
// example; an empty value means no group. Throws UserError unless there are exactly two distinct
// values; `field` is the field's name.
void number_groups(const std::vector<std::string>& values, const std::string& field, DataSet& set);

}  // namespace mixtune
