#include "base/config_reader.h"

#include <algorithm>

#include "base/error.h"
#include "base/field_text.h"
#include "base/field_value.h"
#include "base/scalars.h"

namespace mixtune {
namespace {

using Kind = YamlNode::Kind;

class Reader final : public FieldVisitor {
 public:
  Reader(std::string path, const NodeLayers& layers, std::vector<ConfigProblem>& problems,
         Origins& origins)
      : path_(std::move(path)), problems_(problems), origins_(origins) {
    for (const YamlNode* layer : layers) {
      if (layer->kind == Kind::map && layer->entries.empty()) layers_.clear();
      if (layer->kind == Kind::map) layers_.push_back(layer);
      // A key without a value (all its options commented out) changes nothing.
      if (layer->kind == Kind::scalar || layer->kind == Kind::list)
        add_problem(*layer, name_of_map(),
                    "is " + flow_spelling(*layer) + "; expected a map of options",
                    "Write 'option: value' lines below it.");
    }
  }

  // Accepts a key that is read elsewhere: the name of a choice.
  void allow(const std::string& key) { known_.push_back(key); }

  void read(Config& config) {
    const size_t before = problems_.size();
    config.fields(*this);
    check_keys();
    // config.check() may rely on each field being within its own limits.
    if (problems_.size() == before)
      if (const auto problem = config.check()) report(*problem);
  }

 protected:
  void visit_value(const Field& field) override {
    const NodeLayers layers = layers_of(field.name);
    if (!layers.empty()) {
      if (const auto wrong = set_value(field, layers))
        add_problem(*wrong->node, path_ + field.name, wrong->what, field.help);
      else
        origins_[path_ + field.name] = layers.back()->origin;
    }
    values_[field.name] = value_text(field);
  }

  void visit_nested(const std::string& name, Config& config, const std::string&) override {
    read_config(config, path_ + name + '.', layers_of(name), problems_, origins_);
  }

  void visit_choice(const std::string& name, Choice& choice, const ChoiceTable& table,
                    const std::string& help, const Limits& limits) override {
    read_choice(path_ + name, choice, table, layers_of(name), limits.optional, help);
  }

  void visit_list(const std::string& name, ConfigList& items, const std::string&) override {
    const NodeLayers layers = layers_of(name);
    size_t first = 0;
    if (const auto list = last_list(layers)) {
      first = *list;
      items.resize(layers[first]->items.size());
    }
    for_each_item(path_ + name, layers, first, items.size(), [&](size_t i, const NodeLayers& item) {
      read_config(items.at(i), path_ + name + '.' + std::to_string(i) + '.', item, problems_,
                  origins_);
    });
  }

  void visit_choices(const std::string& name, std::vector<Choice>& items, const ChoiceTable& table,
                     const std::string& help) override {
    const NodeLayers layers = layers_of(name);
    size_t first = 0;
    if (const auto list = last_list(layers)) {
      first = *list;
      items = std::vector<Choice>(layers[first]->items.size());
    }
    for_each_item(path_ + name, layers, first, items.size(), [&](size_t i, const NodeLayers& item) {
      read_choice(path_ + name + '.' + std::to_string(i), items[i], table, item, false, help);
    });
  }

 private:
  void check_keys() {
    for (const YamlNode* layer : layers_)
      for (const YamlEntry& entry : layer->entries)
        if (std::find(known_.begin(), known_.end(), entry.key) == known_.end())
          problems_.push_back(
              {entry.origin, path_ + entry.key + " is unknown", suggestion(entry.key, known_)});
  }

  void report(const FieldProblem& problem) {
    const auto origin = origins_.find(path_ + problem.field);
    const auto value = values_.find(problem.field);
    problems_.push_back({origin == origins_.end() ? "config" : origin->second,
                         path_ + problem.field + " is " +
                             (value == values_.end() ? "set" : value->second) + "; expected " +
                             problem.expected,
                         problem.todo});
  }

  std::string name_of_map() const {
    return path_.empty() ? "the config" : path_.substr(0, path_.size() - 1);
  }

  void add_problem(const YamlNode& node, const std::string& key, const std::string& what,
                   const std::string& todo) {
    problems_.push_back({node.origin, key + ' ' + what, todo});
  }

  // The values of a key in all layers that have it. Registers the key as known.
  NodeLayers layers_of(const std::string& key) {
    MIXTUNE_CHECK(std::find(known_.begin(), known_.end(), key) == known_.end(),
                  "declared twice: " + path_ + key);
    known_.push_back(key);
    NodeLayers found;
    for (const YamlNode* layer : layers_)
      if (const YamlNode* value = layer->find(key)) found.push_back(value);
    return found;
  }

  static std::optional<size_t> last_list(const NodeLayers& layers) {
    for (size_t i = layers.size(); i > 0; --i)
      if (layers[i - 1]->kind == Kind::list) return i - 1;
    return std::nullopt;
  }

  // Calls `read` for each of `count` items with its layers: the item of the list at layers[first],
  // if that is a list, and the values of later layers for this index (`losses.0.weight=1`).
  template <class Read>
  void for_each_item(const std::string& key, const NodeLayers& layers, size_t first, size_t count,
                     const Read& read) {
    std::vector<NodeLayers> items(count);
    for (size_t l = first; l < layers.size(); ++l) {
      const YamlNode& layer = *layers[l];
      if (layer.kind == Kind::list) {
        for (size_t i = 0; i < count; ++i) items[i].push_back(&layer.items[i]);
        origins_[key] = layer.origin;
      } else if (layer.kind == Kind::map && !layer.entries.empty()) {
        for (const YamlEntry& entry : layer.entries) {
          const auto index = parse_integer(entry.key);
          if (index && *index >= 0 && static_cast<size_t>(*index) < count)
            items[*index].push_back(&entry.value);
          else
            problems_.push_back({entry.origin,
                                 key + '.' + entry.key + " does not exist; " + key + " has " +
                                     std::to_string(count) + " items, counted from 0",
                                 "Use an index of the list, or give the whole list."});
        }
      } else {
        add_problem(layer, key, "is " + flow_spelling(layer) + "; expected a list",
                    "Write it as [...] or as lines that begin with '-'.");
      }
    }
    for (size_t i = 0; i < count; ++i) read(i, items[i]);
  }

  void read_choice(const std::string& key, Choice& choice, const ChoiceTable& table,
                   const NodeLayers& layers, bool optional, const std::string& help) {
    const std::string expected = "one of: " + join_names(table.names());
    std::string name = choice.name;
    const YamlNode* named_by = nullptr;
    NodeLayers kept;
    const auto rename = [&](const YamlNode& node) {
      if (node.text != name) kept.clear();
      name = node.text;
      named_by = &node;
    };
    for (const YamlNode* layer : layers) {
      const YamlNode* word = layer->kind == Kind::map ? layer->find("name") : layer;
      if (layer->kind == Kind::null) {
        kept.clear();
        name.clear();
        named_by = layer;
      } else if (word != nullptr && word->kind != Kind::scalar) {
        return add_problem(*word, key + (word == layer ? "" : ".name"),
                           "is " + flow_spelling(*word) + "; expected " + expected, help);
      } else if (word != nullptr) {
        rename(*word);
      }
      if (layer->kind == Kind::map) kept.push_back(layer);
    }
    if (name.empty()) {
      if (!kept.empty())
        return add_problem(*kept.back(), key, "has no name; expected " + expected, help);
      if (!optional)
        return problems_.push_back({named_by == nullptr ? "config" : named_by->origin,
                                    key + " is not set; expected " + expected, help});
      choice = {};
      if (named_by != nullptr) origins_[key] = named_by->origin;
      return;
    }
    const auto names = table.names();
    if (std::find(names.begin(), names.end(), name) == names.end())
      return problems_.push_back(
          {named_by == nullptr ? "config" : named_by->origin,
           key + " is " + name + ", which is unknown; expected " + expected,
           nearest(name, names, 1).empty() ? help : suggestion(name, names)});
    if (name != choice.name || choice.config == nullptr) choice = {name, table.make(name)};
    if (named_by != nullptr) origins_[key + ".name"] = named_by->origin;

    Reader reader(key + '.', kept, problems_, origins_);
    reader.allow("name");
    reader.read(*choice.config);
  }

  std::string path_;
  NodeLayers layers_;
  std::vector<std::string> known_;
  std::map<std::string, std::string> values_;  // of this map's fields, printed
  std::vector<ConfigProblem>& problems_;
  Origins& origins_;
};

}  // namespace

void read_config(Config& config, const std::string& path, const NodeLayers& layers,
                 std::vector<ConfigProblem>& problems, Origins& origins) {
  Reader(path, layers, problems, origins).read(config);
}

}  // namespace mixtune
