// Config layers: YAML files and key=value, merged left to right into a config struct; and the
// effective config back as YAML or as help. A mistake is one UserError that names the key, what was
// expected and the file and line (or the command line) that it came from.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fields.h"

namespace mixtune {

struct YamlNode;

// Where each value that is not a default came from: "method.rank" to "recipes/lora.yaml:12" or
// "command line".
using Origins = std::map<std::string, std::string>;

// Maps merge key by key and an empty map clears; anything else replaces what earlier layers said. A
// choice whose name changes forgets the keys of the earlier choice.
class ConfigLayers {
 public:
  ConfigLayers();
  ~ConfigLayers();
  ConfigLayers(ConfigLayers&&) noexcept;
  ConfigLayers& operator=(ConfigLayers&&) noexcept;

  void add_file(const std::filesystem::path& path);
  // `origin` stands for the file's name in errors and printed origins.
  void add_text(std::string_view yaml, const std::string& origin);
  // "method.rank=4": the value is YAML; for a text field it may be any characters, quotes optional.
  void add_override(std::string_view assignment);

  // Sets `root` (whose values are the defaults) from the layers. UserError for the first problem,
  // with
  // "(and N more)"; `root` is then partly set.
  Origins apply(Config& root) const;

 private:
  std::vector<std::unique_ptr<YamlNode>> layers_;
};

// The effective config; reading it back gives the same values, doubles exactly. With `origins`,
// each value ends in a comment: "# default", "# recipes/lora.yaml:12", "# command line".
std::string to_yaml(const Config& config);
std::string to_yaml(const Config& config, const Origins& origins);

// Every option with its type, default, limits and help: as aligned text for --help, or as a table
// for the generated documents. A choice lists its names and the fields of the one that is set.
std::string describe(const Config& config);
std::string describe_markdown(const Config& config);

// Calls `use` for every choice and list of choices, with the table of what can be chosen.
void for_each_choice(
    const Config& config,
    const std::function<void(const std::string& key, const ChoiceTable& table)>& use);

}  // namespace mixtune
