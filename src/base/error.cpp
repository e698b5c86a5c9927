#include "base/error.h"

#include <algorithm>
#include <numeric>

namespace mixtune {
namespace {

std::string one_line(const std::string& where, const std::string& found, const std::string& todo) {
  std::string line = where.empty() ? found : where + ": " + found;
  if (!line.empty() && line.back() != '.') line += '.';
  if (!todo.empty()) line += ' ' + todo;
  // Names from files may have any characters; line breaks, zeros and terminal escapes are replaced.
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return line;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row[b.size()];
}

}  // namespace

UserError::UserError(std::string where, std::string what, std::string todo)
    : std::runtime_error(one_line(where, what, todo)),
      where_(std::move(where)),
      found_(std::move(what)),
      todo_(std::move(todo)) {}

void bug(std::string_view file, int line, std::string_view condition, std::string_view message) {
  const auto slash = file.find_last_of('/');
  const auto name = slash == std::string_view::npos ? file : file.substr(slash + 1);
  throw BugError(std::string(name) + ':' + std::to_string(line) + ": " + std::string(condition) +
                 " does not hold: " + std::string(message));
}

std::string join_names(const std::vector<std::string>& names, std::string_view separator) {
  std::string out;
  for (const auto& name : names) {
    if (!out.empty()) out += separator;
    out += name;
  }
  return out;
}

std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& known,
                                 size_t count) {
  std::vector<std::pair<size_t, std::string>> scored;
  for (const auto& candidate : known) {
    const size_t distance = edit_distance(name, candidate);
    if (distance <= std::max(name.size(), candidate.size()) / 2)
      scored.emplace_back(distance, candidate);
  }
  std::stable_sort(scored.begin(), scored.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (size_t i = 0; i < std::min(count, scored.size()); ++i) out.push_back(scored[i].second);
  return out;
}

std::string suggestion(std::string_view name, const std::vector<std::string>& known) {
  const auto near = nearest(name, known, 1);
  if (!near.empty()) return "Did you mean " + near[0] + "?";
  return "Known: " + join_names(known) + ".";
}

}  // namespace mixtune
