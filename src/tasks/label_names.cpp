#include "tasks/label_names.h"

#include <algorithm>

#include "base/scalars.h"

namespace mixtune {

std::vector<std::string> ordered_label_names(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const bool numeric = std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return parse_integer(name).has_value();
  });
  if (numeric)  // stable: "1" and "01" are two names with one number
    std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return *parse_integer(a) < *parse_integer(b);
    });
  return names;
}

}  // namespace mixtune
