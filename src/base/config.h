// Config layers: YAML files and key=value overrides, merged from left to right into a config
// struct, and the effective config printed as YAML or as help. A mistake is one UserError with the
// key, what was expected, and the file and line (or the command line) of the value.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fields.h"

namespace mixtune {

struct YamlNode;

// The origin of each value that is not a default: "recipes/lora.yaml:12" or "command line" for
// "method.r".
using Origins = std::map<std::string, std::string>;

// Maps are merged key by key, and an empty map clears earlier ones; other values replace those of
// earlier layers. If the name of a choice changes, the keys of the earlier choice are dropped.
class ConfigLayers {
 public:
  ConfigLayers();
  ~ConfigLayers();
  ConfigLayers(ConfigLayers&&) noexcept;
  ConfigLayers& operator=(ConfigLayers&&) noexcept;

  void add_file(const std::filesystem::path& path);
  // `origin` takes the place of the file name in errors and printed origins.
  void add_text(std::string_view yaml, const std::string& origin);
  // "method.r=4". The value is YAML; for a string field it may be any characters, quotes optional.
  void add_override(std::string_view assignment);

  // Sets `root`, whose values are the defaults, from the layers. UserError for the first problem,
  // with "(and N more)"; `root` is then set in part.
  Origins apply(Config& root) const;

 private:
  std::vector<std::unique_ptr<YamlNode>> layers_;
};

// The effective config as YAML. Reading it back gives the same values, also for doubles. With
// `origins`, each value has a comment: "# default", "# recipes/lora.yaml:12", "# command line".
std::string to_yaml(const Config& config);
std::string to_yaml(const Config& config, const Origins& origins);

// Every option with its type, default, limits and help: as aligned text for the terminal, or as a
// table for the generated documents. A choice has its names and the fields of the one that is set.
std::string describe(const Config& config);
std::string describe_markdown(const Config& config);

// Calls `use` for every choice and list of choices, with the table of its alternatives.
void for_each_choice(
    const Config& config,
    const std::function<void(const std::string& key, const ChoiceTable& table)>& use);

}  // namespace mixtune
