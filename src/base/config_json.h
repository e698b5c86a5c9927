// A config as JSON, for result files and adapter folders. As slow to compile as base/json.h.
#pragma once

#include "base/fields.h"
#include "base/json.h"

namespace mixtune {

// The same tree as to_yaml: a choice has its fields and "name"; an unset choice and infinities are
// null.
Json to_json(const Config& config);

}  // namespace mixtune
