// A table of named entries (methods, tasks, commands). It is filled by a generated function that
// calls register_<file name>() once for each file (cmake/rooms.cmake); the header of each kind
// declares the table's accessor, such as `const Registry<MethodEntry>& methods()`.
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

  // The entry, or a user error at `where` that lists the nearest names. `kind`: "method", "task",
  // ...
  const Entry& get(std::string_view name, const std::string& where, const std::string& kind) const {
    if (const Entry* entry = find(name)) return *entry;
    throw UserError(where, "unknown " + kind + " '" + std::string(name) + "'",
                    suggestion(name, names()));
  }

 private:
  std::vector<Entry> entries_;
};

}  // namespace mixtune
