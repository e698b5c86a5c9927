// One YAML value into one field, strictly: a quoted "8" is no number, 1.5 is no whole number.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/yaml_tree.h"

namespace mixtune {

// Sets the field from the layers of its key, lowest first (the last wins; maps merge). Where the
// value is wrong: what was found and expected, such as "is -1; expected above 0", and the node to
// blame.
struct WrongValue {
  std::string what;
  const YamlNode* node;
};
std::optional<WrongValue> set_value(const Field& field, const std::vector<const YamlNode*>& layers);

}  // namespace mixtune
