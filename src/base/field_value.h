// Reads a YAML value into a field, strictly: a quoted "8" is not a number, 1.5 not a whole number.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/yaml_tree.h"

namespace mixtune {

struct WrongValue {
  std::string what;      // what was found and expected: "is -1; expected above 0"
  const YamlNode* node;  // the wrong node
};
// Sets the field from the layers of its key, lowest first: the last one wins, and maps are merged.
std::optional<WrongValue> set_value(const Field& field, const std::vector<const YamlNode*>& layers);

}  // namespace mixtune
