// Label names of the user's own data: inferred from the training file, or those saved with an
// adapter.
#pragma once

#include <string>
#include <vector>

namespace mixtune {

// Distinct names in numeric order if all are integers ("2" before "10"), else by code point.
std::vector<std::string> ordered_label_names(std::vector<std::string> names);

}  // namespace mixtune
