// A config as JSON, for result files and the program's own exchange. Costs what base/json.h costs.
#pragma once

#include "base/fields.h"
#include "base/json.h"

namespace mixtune {

// The same tree as to_yaml: a choice is its fields with "name"; an unset choice and infinities are
// null.
Json to_json(const Config& config);

}  // namespace mixtune
