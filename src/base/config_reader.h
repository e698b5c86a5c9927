// Sets a config from merged layers: the visitor behind ConfigLayers::apply.
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

// Reads `layers`, maps or nulls, into `config`, whose fields are called `path` + name. Merging is
// guided by the fields and not by the trees: only a field knows whether two maps are one choice or
// two.
void read_config(Config& config, const std::string& path, const NodeLayers& layers,
                 std::vector<ConfigProblem>& problems, Origins& origins);

}  // namespace mixtune
