#include "cli/end_ids.h"

#include "base/file.h"
#include "base/json.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

fs::path generation_config(const fs::path& model) {
  return model / "generation_config.json";
}

bool is_file_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// eos_token_id is a number or a list of numbers.
void add_ids(const Json& config, std::set<int32_t>& out) {
  const auto found = config.find("eos_token_id");
  if (found == config.end()) return;
  for (const Json& id : found->is_array() ? *found : Json::array({*found}))
    if (id.is_number_integer()) out.insert(id.get<int32_t>());
}

}  // namespace

std::set<int32_t> end_ids_of(const fs::path& model) {
  std::set<int32_t> out;
  for (const fs::path& file : {model / "config.json", generation_config(model)})
    if (is_file_there(file)) add_ids(read_json(file), out);
  return out;
}

void add_end_id(const fs::path& model, int32_t id) {
  std::set<int32_t> ids = end_ids_of(model);
  ids.insert(id);
  const fs::path file = generation_config(model);
  OrderedJson json = OrderedJson::object();
  if (is_file_there(file)) {
    json = parse_ordered_json(read_file(file), file.string());
    if (!json.is_object())
      throw UserError(file.string(), "is not a JSON object", "Correct or remove it.");
  } else {
    // If generation_config.json exists, transformers does not read these keys from config.json.
    const Json config = read_json(model / "config.json");
    for (const char* key : {"bos_token_id", "pad_token_id"})
      if (config.contains(key) && config.at(key).is_number_integer())
        json[key] = config.at(key).get<int64_t>();
  }
  json["eos_token_id"] = ids;
  write_file_atomically(file,
                        json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
}

}  // namespace mixtune
