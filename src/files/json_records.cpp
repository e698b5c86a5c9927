#include "files/json_records.h"

#include "base/error.h"
#include "files/json_lines.h"

namespace mixtune {

void read_json_records(const std::filesystem::path& path,
                       const std::function<void(const Json&, const RecordPlace&)>& use) {
  int64_t count = 0;
  if (path.extension() != ".json") {
    read_json_lines(path, [&](const Json& object, int64_t line) {
      ++count;
      use(object, {path.string() + ":" + std::to_string(line), line});
    });
  } else {
    const Json list = read_json(path);
    if (!list.is_array())
      throw UserError(path.string(), std::string("is ") + list.type_name() + "; expected a list",
                      "Write a list of objects, or one object on each line of a .jsonl file.");
    for (const Json& object : list) {
      const std::string where = path.string() + " example " + std::to_string(count++);
      if (!object.is_object())
        throw UserError(where, std::string("is ") + object.type_name() + "; expected an object",
                        "Write a list of objects.");
      use(object, {where, 0});
    }
  }
  if (count == 0)
    throw UserError(path.string(), "has no examples", "Give a file with at least one object.");
}

std::string key_list(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys.empty() ? "no keys" : join_names(keys);
}

std::string text_at(const Json& object, const std::string& key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end())
    throw UserError(where, "'" + key + "' is missing; found " + key_list(object),
                    "Give every object the key '" + key + "'.");
  if (!found->is_string())
    throw UserError(where, "'" + key + "' is " + found->type_name() + "; expected a string",
                    "Put the text in quotes.");
  return found->get<std::string>();
}

}  // namespace mixtune
