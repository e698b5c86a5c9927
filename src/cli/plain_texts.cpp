#include "cli/plain_texts.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "cli/appended_file.h"
#include "files/json_lines.h"

namespace mixtune {

namespace fs = std::filesystem;

fs::path text_lines_path(const fs::path& lines) {
  fs::path out = lines;
  if (out.extension() == ".jsonl") return out.replace_extension(".txt");
  return out += ".txt";
}

void check_text_lines(const fs::path& lines) {
  std::error_code error;
  const fs::path texts = text_lines_path(lines);
  if (!fs::exists(texts, error) || fs::exists(unfinished_marker(lines), error)) return;
  throw UserError(texts.string(), "exists already; the texts without JSON are written there",
                  "Name another --output, or add --overwrite.");
}

void write_text_lines(const fs::path& lines) {
  std::string out;
  read_json_lines(lines, [&](const Json& line, int64_t) {
    std::string text = line.at("text");
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    out += text + "\n";
  });
  write_file_atomically(text_lines_path(lines), out);
}

}  // namespace mixtune
