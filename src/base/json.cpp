#include "base/json.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"

namespace molt {

Json parse_json(std::string_view text, const std::string& where) {
  constexpr int kMaximumDepth = 256;
  const auto limit_depth = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaximumDepth)
      throw UserError(where, "nests deeper than 256 levels", "Is this the right file?");
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), limit_depth);
  } catch (const Json::parse_error& error) {
    const size_t at = std::min(error.byte > 0 ? error.byte - 1 : 0, text.size());
    const size_t line = 1 + std::count(text.begin(), text.begin() + at, '\n');
    const size_t start = text.rfind('\n', at > 0 ? at - 1 : 0);
    const size_t column = start == std::string_view::npos || start >= at ? at + 1 : at - start;
    throw UserError(where + ':' + std::to_string(line) + ':' + std::to_string(column),
                    "is not valid JSON", "Is the file complete? Fetch or write it again.");
  }
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

}  // namespace molt
