// Texts about a field for error messages, for help and for the printed config.
#pragma once

#include <string>

#include "base/fields.h"

namespace mixtune {

// "whole number", "list of strings", "number or null".
std::string type_text(const FieldValue& value);

// "1 to 65536", "above 0", "linear or cosine"; empty without limits.
std::string limits_text(const Limits& limits);

// The value as one line of YAML.
std::string value_text(const Field& field);

}  // namespace mixtune
