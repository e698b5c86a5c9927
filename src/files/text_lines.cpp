#include "files/text_lines.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"

namespace mixtune {

std::string_view checked_text(std::string_view content, const std::string& source) {
  if (const auto bad = first_invalid_utf8(content)) {
    const auto line = 1 + std::count(content.begin(), content.begin() + *bad, '\n');
    throw UserError(source + ':' + std::to_string(line), "contains a byte that is not UTF-8",
                    "Save the file as UTF-8.");
  }
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
  return content;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace mixtune
