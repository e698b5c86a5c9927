// Parses YAML into a plain tree in which every node has its origin. It is stricter than YAML: keys
// are scalars, repeated keys and tags other than !!str are errors, and depth and size are limited.
// Only yaml_tree.cpp includes yaml-cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mixtune {

struct YamlEntry;

struct YamlNode {
  enum class Kind { null, scalar, list, map };

  Kind kind = Kind::null;
  std::string origin;              // "recipes/lora.yaml:12" or "command line"
  std::string text;                // of a scalar
  bool quoted = false;             // a scalar in quotes is a string
  std::optional<std::string> raw;  // a value of the command line as it was typed
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;  // in file order

  const YamlNode* find(std::string_view key) const;
};

struct YamlEntry {
  std::string key;
  std::string origin;
  YamlNode value;
};

// One YAML document; an empty one is null. UserError at "file:line".
YamlNode parse_yaml(std::string_view text, const std::string& file);

// A value as typed after "key=": parsed as YAML if it is valid, otherwise a scalar of exactly these
// characters.
YamlNode parse_typed_value(std::string_view text, const std::string& origin);

// The node on one line, as it could be typed: "[1, 2]", "{a: 1}", "epoch", "\"8\"".
std::string flow_spelling(const YamlNode& node);

}  // namespace mixtune
