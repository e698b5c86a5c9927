#include "files/json_lines.h"

#include "base/error.h"
#include "base/file.h"
#include "files/text_lines.h"

namespace mixtune {

void read_json_lines(const std::filesystem::path& path,
                     const std::function<void(const Json&, int64_t)>& use) {
  const std::string content = read_file(path);
  int64_t number = 0;
  for (std::string_view line : split_lines(checked_text(content, path.string()))) {
    ++number;
    if (line.find_first_not_of(" \t") == line.npos) continue;
    const std::string where = path.string() + ':' + std::to_string(number);
    Json object;
    try {
      object = parse_strict_json(line, where);
    } catch (const UserError& error) {
      if (error.where() == where) throw;  // otherwise it ends with the line number inside this line
      throw UserError(where, "is not valid JSON", "Write one JSON object on each line.");
    }
    if (!object.is_object())
      throw UserError(where, "is " + std::string(object.type_name()) + "; expected an object",
                      "Write one JSON object on each line.");
    use(object, number);
  }
}

}  // namespace mixtune
