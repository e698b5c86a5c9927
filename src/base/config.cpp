#include "base/config.h"

#include "base/config_reader.h"
#include "base/error.h"
#include "base/file.h"
#include "base/yaml_tree.h"

namespace mixtune {

ConfigLayers::ConfigLayers() = default;
ConfigLayers::~ConfigLayers() = default;
ConfigLayers::ConfigLayers(ConfigLayers&&) noexcept = default;
ConfigLayers& ConfigLayers::operator=(ConfigLayers&&) noexcept = default;

void ConfigLayers::add_file(const std::filesystem::path& path) {
  add_text(read_file(path), path.string());
}

void ConfigLayers::add_text(std::string_view yaml, const std::string& origin) {
  layers_.push_back(std::make_unique<YamlNode>(parse_yaml(yaml, origin)));
}

void ConfigLayers::add_override(std::string_view assignment) {
  const std::string origin = "command line";
  const size_t equals = assignment.find('=');
  const std::string_view key = assignment.substr(0, equals);
  if (equals == std::string_view::npos || key.empty() || key.front() == '.' || key.back() == '.' ||
      key.find("..") != std::string_view::npos)
    throw UserError(origin,
                    "'" + std::string(assignment) + "' is not an option; expected key=value",
                    "Write it like train.seed=1.");

  YamlNode node = parse_typed_value(assignment.substr(equals + 1), origin);
  for (size_t end = key.size(); end != std::string_view::npos;) {
    const size_t dot = end == 0 ? std::string_view::npos : key.rfind('.', end - 1);
    const size_t begin = dot == std::string_view::npos ? 0 : dot + 1;
    YamlNode outer;
    outer.kind = YamlNode::Kind::map;
    outer.origin = origin;
    outer.entries.push_back({std::string(key.substr(begin, end - begin)), origin, std::move(node)});
    node = std::move(outer);
    end = dot;
  }
  layers_.push_back(std::make_unique<YamlNode>(std::move(node)));
}

Origins ConfigLayers::apply(Config& root) const {
  NodeLayers layers;
  for (const auto& layer : layers_) layers.push_back(layer.get());
  std::vector<ConfigProblem> problems;
  Origins origins;
  read_config(root, "", layers, problems, origins);
  if (!problems.empty()) {
    std::string todo = problems[0].todo;
    if (problems.size() > 1)
      todo +=
          (todo.empty() ? "" : " ") + ("(and " + std::to_string(problems.size() - 1) + " more)");
    throw UserError(problems[0].where, problems[0].what, todo);
  }
  return origins;
}

}  // namespace mixtune
