// Data files of JSON objects: one per line (JSONL), or a list of objects if the file name ends in
// .json. Includes nlohmann, so include it only in .cpp files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/json.h"

namespace mixtune {

// The place of an object, for error messages: "file:7", or "file example 7" in a list, counted from
// 0 like ids.
struct RecordPlace {
  std::string text;
  int64_t line = 0;  // from 1; 0 in a list
};

// Calls `use` for every object. Throws UserError if a record is not an object, or if there is none.
void read_json_records(const std::filesystem::path& path,
                       const std::function<void(const Json& object, const RecordPlace&)>& use);

// The string at `key`. Throws UserError at `where`, with the existing keys, if it is missing or has
// another type.
std::string text_at(const Json& object, const std::string& key, const std::string& where);

// The keys of an object, for error messages.
std::string key_list(const Json& object);

}  // namespace mixtune
