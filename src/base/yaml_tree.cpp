#include "base/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "base/error.h"
#include "base/scalars.h"
#include "base/utf8.h"

namespace mixtune {
namespace {

constexpr size_t kDeepestYaml = 64;
// Aliases count with all their nodes; a few lines of aliases can expand to billions.
constexpr size_t kMaximumNodes = 100'000;
constexpr size_t kMaximumBytes = 1 << 20;

size_t count_nodes(const YamlNode& node) {
  size_t count = 1;
  for (const YamlNode& item : node.items) count += count_nodes(item);
  for (const YamlEntry& entry : node.entries) count += count_nodes(entry.value);
  return count;
}

size_t depth_of(const YamlNode& node) {
  size_t depth = 0;
  for (const YamlNode& item : node.items) depth = std::max(depth, depth_of(item));
  for (const YamlEntry& entry : node.entries) depth = std::max(depth, depth_of(entry.value));
  return depth + 1;
}

// Builds the tree from the parser's events. The tree of yaml-cpp itself would hide repeated keys
// and would not limit aliases.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string& file) : file_(file) {}

  YamlNode take() { return std::move(root_); }
  std::string where(const YAML::Mark& mark) const {
    return file_ + ':' + std::to_string(std::max(mark.line, 0) + 1);
  }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.origin = where(mark);
    finish(std::move(node), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    reject_tag(mark, tag);
    YamlNode node;
    node.origin = where(mark);
    node.quoted = tag == "!" || tag == kText;
    if (node.quoted || !is_null_word(value)) {
      node.kind = YamlNode::Kind::scalar;
      node.text = value;
    }
    finish(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      throw UserError(where(mark), "refers to an anchor that contains it", "Write the value out.");
    const size_t added = count_nodes(found->second);
    if (open_.size() + depth_of(found->second) > kDeepestYaml) too_deep(mark);
    count(added, mark);
    YamlNode copy = found->second;
    finish(std::move(copy), 0, /*counted=*/added);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  static constexpr const char* kText = "tag:yaml.org,2002:str";

  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    // A key and its origin, until its value is read.
    std::optional<std::pair<std::string, std::string>> key;
  };

  void reject_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != kText)
      throw UserError(where(mark), "has the tag " + tag + "; expected a plain value",
                      "Remove the tag.");
  }

  [[noreturn]] void too_deep(const YAML::Mark& mark) const {
    throw UserError(where(mark), "nests deeper than " + std::to_string(kDeepestYaml) + " levels",
                    "Is this the right file?");
  }

  void count(size_t added, const YAML::Mark& mark) {
    nodes_ += added;
    if (nodes_ > kMaximumNodes)
      throw UserError(where(mark), "holds more than " + std::to_string(kMaximumNodes) + " values",
                      "Is this the right file?");
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    reject_tag(mark, tag);
    if (open_.size() >= kDeepestYaml) too_deep(mark);
    Open frame;
    frame.node.kind = kind;
    frame.node.origin = where(mark);
    frame.anchor = anchor;
    open_.push_back(std::move(frame));
  }

  void close() {
    Open frame = std::move(open_.back());
    open_.pop_back();
    finish(std::move(frame.node), frame.anchor);
  }

  void finish(YamlNode node, YAML::anchor_t anchor, size_t counted = 0) {
    if (counted == 0) ++nodes_;
    if (nodes_ > kMaximumNodes) count(0, YAML::Mark());
    if (anchor != 0) anchors_[anchor] = node;
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (open_.back().node.kind == YamlNode::Kind::list) {
      open_.back().node.items.push_back(std::move(node));
    } else if (!open_.back().key) {
      set_key(std::move(node));
    } else {
      auto& [key, origin] = *open_.back().key;
      // A map or list may begin on the line after its key; its origin is the line of the key.
      if (node.kind != YamlNode::Kind::scalar) node.origin = origin;
      open_.back().node.entries.push_back({key, origin, std::move(node)});
      open_.back().key.reset();
    }
  }

  void set_key(YamlNode node) {
    if (node.kind != YamlNode::Kind::scalar)
      throw UserError(node.origin, "has a key that is not a name",
                      "Write each option as 'key: value'.");
    if (open_.back().node.find(node.text) != nullptr)
      throw UserError(node.origin, "repeats the key " + node.text, "Keep one of the two.");
    open_.back().key.emplace(std::move(node.text), std::move(node.origin));
  }

  std::string file_;
  YamlNode root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  size_t nodes_ = 0;
};

void check_text(std::string_view text, const std::string& file) {
  if (text.size() > kMaximumBytes)
    throw UserError(file, "is larger than 1 MiB; expected a config", "Is this the right file?");
  size_t bad = std::min(first_invalid_utf8(text).value_or(text.size()), text.find('\0'));
  if (bad < text.size())
    throw UserError(
        file + ':' + std::to_string(1 + std::count(text.begin(), text.begin() + bad, '\n')),
        "holds a byte that is not UTF-8 text", "Save the file as UTF-8.");
}

YamlNode parse_document(std::string_view text, const std::string& file) {
  TreeBuilder builder(file);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    TreeBuilder rest(file);
    if (parser.HandleNextDocument(rest))
      throw UserError(file, "holds more than one YAML document",
                      "Keep one; split the file at '---'.");
    return builder.take();
  } catch (const YAML::Exception& error) {
    throw UserError(builder.where(error.mark), "is not valid YAML (" + error.msg + ")",
                    "Check indentation, quotes and brackets near that line.");
  }
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const YamlEntry& entry : entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

YamlNode parse_yaml(std::string_view text, const std::string& file) {
  check_text(text, file);
  // yaml-cpp 0.7 accepts a quote that is never closed if the text ends in a line break, and the
  // rest of the file becomes part of the string. Without the line break it reports the quote, but a
  // block scalar would lose its last line break. Therefore the text is parsed both ways.
  const size_t end = text.find_last_not_of(" \t\r\n");
  parse_document(text.substr(0, end == std::string_view::npos ? 0 : end + 1), file);
  return parse_document(text, file);
}

YamlNode parse_typed_value(std::string_view text, const std::string& origin) {
  const auto set_origin = [&](const auto& self, YamlNode& node) -> void {
    node.origin = origin;
    for (YamlNode& item : node.items) self(self, item);
    for (YamlEntry& entry : node.entries) {
      entry.origin = origin;
      self(self, entry.value);
    }
  };
  YamlNode node;
  try {
    node = parse_yaml(text, origin);
  } catch (const UserError&) {
    check_text(text, origin);
    node.kind = YamlNode::Kind::scalar;
    node.text = text;
  }
  set_origin(set_origin, node);
  node.raw = text;
  return node;
}

std::string flow_spelling(const YamlNode& node) {
  std::string out;
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "null";
    case YamlNode::Kind::scalar:
      return node.quoted ? mixtune::quoted(node.text) : node.text;
    case YamlNode::Kind::list:
      for (const YamlNode& item : node.items)
        out += (out.empty() ? "" : ", ") + flow_spelling(item);
      return '[' + out + ']';
    case YamlNode::Kind::map:
      for (const YamlEntry& entry : node.entries)
        out += (out.empty() ? "" : ", ") + entry.key + ": " + flow_spelling(entry.value);
      return '{' + out + '}';
  }
  return out;
}

}  // namespace mixtune
