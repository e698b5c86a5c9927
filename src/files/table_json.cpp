// Reads JSON lines and JSON lists as tables; see table.h. Line numbers of a list are the indices of
// its objects, from 1.
#include "base/error.h"
#include "base/file.h"
#include "files/json_lines.h"
#include "files/table.h"
#include "files/text_lines.h"

namespace mixtune {
namespace {

void add_object(Table& table, const Json& object, int64_t line) {
  const std::string where = table.source + ':' + std::to_string(line);
  if (table.columns.empty())
    for (const auto& [key, value] : object.items()) table.columns.push_back(key);
  std::vector<std::string> row;
  for (const std::string& name : table.columns) {
    const auto value = object.find(name);
    if (value == object.end()) {
      std::vector<std::string> keys;
      for (const auto& [key, ignored] : object.items()) keys.push_back(key);
      throw UserError(where, "has no \"" + name + '"',
                      keys.empty() ? "It has no keys." : suggestion(name, keys));
    }
    if (value->is_string())
      row.push_back(value->get<std::string>());
    else if (value->is_number() || value->is_boolean())
      row.push_back(value->dump());
    else
      throw UserError(where,
                      "has " + std::string(value->type_name()) + " in \"" + name +
                          "\"; expected a string or a number",
                      "Write it in quotes.");
  }
  table.rows.push_back(std::move(row));
  table.lines.push_back(line);
}

Table empty_table(const std::filesystem::path& path, std::vector<std::string> columns) {
  Table table;
  table.source = path.string();
  table.columns = std::move(columns);
  return table;
}

}  // namespace

Table read_jsonl(const std::filesystem::path& path, std::vector<std::string> columns) {
  Table table = empty_table(path, std::move(columns));
  read_json_lines(path, [&](const Json& object, int64_t line) { add_object(table, object, line); });
  return table;
}

Table read_json_list(const std::filesystem::path& path, std::vector<std::string> columns) {
  Table table = empty_table(path, std::move(columns));
  const std::string content = read_file(path);
  const Json list = parse_strict_json(checked_text(content, table.source), table.source);
  if (!list.is_array())
    throw UserError(table.source,
                    "is " + std::string(list.type_name()) + "; expected a list of objects",
                    "For one object on each line, name the file .jsonl.");
  for (size_t i = 0; i < list.size(); ++i) {
    const int64_t number = static_cast<int64_t>(i) + 1;
    if (!list[i].is_object())
      throw UserError(table.source + ':' + std::to_string(number),
                      "is " + std::string(list[i].type_name()) + "; expected an object",
                      "Write a list of objects.");
    add_object(table, list[i], number);
  }
  return table;
}

}  // namespace mixtune
