// A table of named entries (methods, tasks, commands). A generated function (cmake/rooms.cmake)
// fills it with one call of register_<file name>() per file. The header of each entry type declares
// the accessor of its table, such as `const Registry<MethodEntry>& methods()`.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace mixtune {

template <class Entry>
class Registry {
 public:
  void add(Entry entry) {
    MIXTUNE_CHECK(find(entry.name) == nullptr, "registered twice: " + std::string(entry.name));
    entries_.push_back(std::move(entry));
  }

  const std::vector<Entry>& entries() const { return entries_; }

  const Entry* find(std::string_view name) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& entry) { return entry.name == name; });
    return found == entries_.end() ? nullptr : &*found;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Entry& entry : entries_) out.emplace_back(entry.name);
    return out;
  }

  // The entry; UserError at `where` with the nearest name if there is none. `kind`: "method",
  // "task", and so on.
  const Entry& get(std::string_view name, const std::string& where, const std::string& kind) const {
    if (const Entry* entry = find(name)) return *entry;
    throw UserError(where, "unknown " + kind + " '" + std::string(name) + "'",
                    suggestion(name, names()));
  }

 private:
  std::vector<Entry> entries_;
};

}  // namespace mixtune
