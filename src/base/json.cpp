#include "base/json.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/error.h"
#include "base/file.h"

namespace mixtune {
namespace {

constexpr int kDeepestJson = 256;
// An ordered object finds keys by linear search.
constexpr size_t kMaximumOrderedKeys = 10'000;

[[noreturn]] void invalid(std::string_view text, const std::string& where, size_t byte) {
  const size_t at = std::min(byte > 0 ? byte - 1 : 0, text.size());
  const size_t line = 1 + std::count(text.begin(), text.begin() + at, '\n');
  const size_t start = text.rfind('\n', at > 0 ? at - 1 : 0);
  const size_t column = start == std::string_view::npos || start >= at ? at + 1 : at - start;
  throw UserError(where + ':' + std::to_string(line) + ':' + std::to_string(column),
                  "is not valid JSON", "Is the file complete? Fetch or write it again.");
}

template <class Tree, class Watch>
Tree parse(std::string_view text, const std::string& where, const Watch& watch) {
  const auto limit_depth = [&](int depth, typename Tree::parse_event_t event, Tree& value) {
    if (depth > kDeepestJson)
      throw UserError(where, "nests deeper than " + std::to_string(kDeepestJson) + " levels",
                      "Is this the right file?");
    watch(event, value);
    return true;
  };
  try {
    return Tree::parse(text.begin(), text.end(), limit_depth);
  } catch (const typename Tree::parse_error& error) {
    invalid(text, where, error.byte);
  }
}

template <class Tree>
Tree parse_unique(std::string_view text, const std::string& where, size_t most_keys) {
  std::vector<std::unordered_set<std::string>> open;  // the keys of the enclosing objects
  const auto watch = [&](typename Tree::parse_event_t event, const Tree& value) {
    using Event = typename Tree::parse_event_t;
    if (event == Event::object_start) open.emplace_back();
    if (event == Event::object_end) open.pop_back();
    if (event != Event::key) return;
    const auto& key = value.template get_ref<const std::string&>();
    if (!open.back().insert(key).second)
      throw UserError(where, "repeats the key \"" + key + "\"", "Keep one of the two.");
    if (open.back().size() > most_keys)
      throw UserError(where, "has an object of more than " + std::to_string(most_keys) + " keys",
                      "Is this the right file?");
  };
  return parse<Tree>(text, where, watch);
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  return parse<Json>(text, where, [](Json::parse_event_t, const Json&) {});
}

Json parse_strict_json(std::string_view text, const std::string& where) {
  return parse_unique<Json>(text, where, std::string::npos);
}

OrderedJson parse_ordered_json(std::string_view text, const std::string& where) {
  return parse_unique<OrderedJson>(text, where, kMaximumOrderedKeys);
}

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

double rounded(double value) {
  return std::round(value * 1e6) / 1e6;
}

std::string dotted(std::string pointer) {
  std::replace(pointer.begin(), pointer.end(), '/', '.');
  return pointer.substr(std::min<size_t>(1, pointer.size()));
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

}  // namespace mixtune
