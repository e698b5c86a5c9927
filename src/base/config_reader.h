// Sets a config from merged layers. ConfigLayers::apply uses it.
#pragma once

#include <string>
#include <vector>

#include "base/config.h"
#include "base/yaml_tree.h"

namespace mixtune {

struct ConfigProblem {
  std::string where, what, todo;
};

// The layers of one key, lowest first.
using NodeLayers = std::vector<const YamlNode*>;

// Reads `layers`, which are maps or nulls, into `config`, whose keys are `path` + field name. The
// fields control how layers are merged, because a tree alone does not show whether two maps are
// options of the same choice.
void read_config(Config& config, const std::string& path, const NodeLayers& layers,
                 std::vector<ConfigProblem>& problems, Origins& origins);

}  // namespace mixtune
