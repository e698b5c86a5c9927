// Fields in words: what the reader's errors, the help and the printed config say about a field.
#pragma once

#include <string>

#include "base/fields.h"

namespace mixtune {

// "whole number", "list of texts", "number or null".
std::string type_text(const FieldValue& value);

// "1 to 65536", "above 0", "linear or cosine"; empty where anything goes.
std::string limits_text(const Limits& limits);

// The value as one line of YAML.
std::string value_text(const Field& field);

}  // namespace mixtune
