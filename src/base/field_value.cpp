#include "base/field_value.h"

#include <algorithm>

#include "base/error.h"
#include "base/field_text.h"
#include "base/scalars.h"

namespace mixtune {
namespace {

using Layers = std::vector<const YamlNode*>;

std::string found(const YamlNode& node) {
  const bool in_quotes = node.kind == YamlNode::Kind::scalar && node.quoted;
  std::string text = node.raw ? *node.raw : flow_spelling(node);
  constexpr size_t kLongest = 80;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text.empty() ? "is empty" : "is " + text + (in_quotes && !node.raw ? " in quotes" : "");
}

bool within(double value, const Limits& limits) {
  return (!limits.minimum || value >= *limits.minimum) &&
         (!limits.maximum || value <= *limits.maximum) &&
         (!limits.above || value > *limits.above) && (!limits.below || value < *limits.below);
}

// Converts a node and checks it against the limits of a field. Each read() returns the problem if
// the node has the wrong type or is out of range.
class ValueReader {
 public:
  explicit ValueReader(const Field& field) : field_(field) {}

  std::optional<WrongValue> read(bool& out, const Layers& layers) const {
    const YamlNode& node = *layers.back();
    if (!is_plain(node) || (node.text != "true" && node.text != "false")) return wrong_type(node);
    out = node.text == "true";
    return std::nullopt;
  }

  std::optional<WrongValue> read(int64_t& out, const Layers& layers) const {
    const YamlNode& node = *layers.back();
    const auto value = is_plain(node) ? parse_integer(node.text) : std::nullopt;
    if (!value) return wrong_type(node);
    if (!within(static_cast<double>(*value), field_.limits)) return out_of_range(node);
    out = *value;
    return std::nullopt;
  }

  std::optional<WrongValue> read(double& out, const Layers& layers) const {
    const YamlNode& node = *layers.back();
    const auto value = is_plain(node) ? parse_number(node.text) : std::nullopt;
    if (!value) return wrong_type(node);
    if (!within(*value, field_.limits)) return out_of_range(node);
    out = *value;
    return std::nullopt;
  }

  std::optional<WrongValue> read(std::string& out, const Layers& layers) const {
    const YamlNode& node = *layers.back();
    const bool is_list = node.kind == YamlNode::Kind::list;
    // The characters after key= are the string itself, whatever they would mean in YAML; quotes are
    // optional.
    const bool is_typed =
        node.raw && !(node.kind == YamlNode::Kind::scalar && node.quoted) && !is_list;
    if (!is_typed && node.kind != YamlNode::Kind::scalar && !(is_list && field_.limits.check))
      return wrong_type(node);
    const std::string text = is_typed ? *node.raw : is_list ? flow_spelling(node) : node.text;
    const auto& choices = field_.limits.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end())
      return out_of_range(node);
    if (field_.limits.check)
      if (const auto expected = field_.limits.check(text)) return wrong(node, *expected);
    out = text;
    return std::nullopt;
  }

  template <class T>
  std::optional<WrongValue> read(std::vector<T>& out, const Layers& layers) const {
    const YamlNode& node = *layers.back();
    if (node.kind != YamlNode::Kind::list) return wrong_type(node);
    std::vector<T> values;
    for (const YamlNode& item : node.items) {
      T value{};
      if (auto problem = read(value, {&item})) return problem;
      values.push_back(std::move(value));
    }
    out = std::move(values);
    return std::nullopt;
  }

  template <class T>
  std::optional<WrongValue> read(std::map<std::string, T>& out, const Layers& layers) const {
    std::map<std::string, T> values;
    for (const YamlNode* node : layers) {
      if (node->kind != YamlNode::Kind::map) return wrong_type(*node);
      if (node->entries.empty()) values.clear();
      for (const YamlEntry& entry : node->entries) {
        T value{};
        if (auto problem = read(value, {&entry.value})) return problem;
        values[entry.key] = value;
      }
    }
    out = std::move(values);
    return std::nullopt;
  }

  template <class T>
  std::optional<WrongValue> read(std::optional<T>& out, const Layers& layers) const {
    if (layers.back()->kind == YamlNode::Kind::null) {
      out.reset();
      return std::nullopt;
    }
    T value{};
    auto problem = read(value, layers);
    if (!problem) out = std::move(value);
    return problem;
  }

 private:
  static bool is_plain(const YamlNode& node) {
    return node.kind == YamlNode::Kind::scalar && !node.quoted;
  }
  WrongValue wrong(const YamlNode& node, const std::string& expected) const {
    return {found(node) + "; expected " + expected, &node};
  }
  WrongValue wrong_type(const YamlNode& node) const {
    const std::string limits = limits_text(field_.limits);
    return wrong(node, type_text(field_.value) + (limits.empty() ? "" : ", " + limits));
  }
  WrongValue out_of_range(const YamlNode& node) const {
    return wrong(node, limits_text(field_.limits));
  }

  const Field& field_;
};

}  // namespace

std::optional<WrongValue> set_value(const Field& field, const Layers& layers) {
  const ValueReader reader(field);
  return std::visit([&](auto* value) { return reader.read(*value, layers); }, field.value);
}

}  // namespace mixtune
