#include "tasks/example_groups.h"

#include <algorithm>

#include "base/error.h"
#include "tasks/label_names.h"

namespace mixtune {
namespace {

// Localized balancing assigns each group one half of the experts.
constexpr size_t kGroups = 2;
constexpr size_t kShown = 5;  // values listed in a message

std::string found_text(std::vector<std::string> names) {
  const size_t count = names.size();
  names.resize(std::min(count, kShown));
  return std::to_string(count) + " different values" +
         (names.empty() ? "" : " (" + join_names(names) + (count > kShown ? ", ..." : "") + ")");
}

}  // namespace

void number_groups(const std::vector<std::string>& values, const std::string& field, DataSet& set) {
  MIXTUNE_CHECK(values.size() == set.examples.size(), "a value for each example");
  std::vector<std::string> names = values;
  std::erase(names, "");
  names = ordered_label_names(std::move(names));
  if (names.size() != kGroups)
    throw UserError(
        set.source,
        "'" + field + "' has " + found_text(names) + "; expected two groups of examples",
        "Choose the field with task.example_group, or leave it out.");
  for (size_t i = 0; i < values.size(); ++i)
    if (!values[i].empty())
      set.examples[i].example_group =
          std::find(names.begin(), names.end(), values[i]) - names.begin();
}

}  // namespace mixtune
