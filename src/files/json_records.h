// Data files of JSON objects: one on each line (JSONL), or a list of them where the file ends in
// .json. Includes nlohmann: for .cpp files.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/json.h"

namespace mixtune {

// Where an object stands, for errors: "file:7", or "file example 7" of a list,
// counted from 0 as ids are.
struct RecordPlace {
  std::string text;
  int64_t line = 0;  // from 1; 0 in a list
};

// Calls `use` for every object. UserError where something is no object, or there is none at all.
void read_json_records(const std::filesystem::path& path,
                       const std::function<void(const Json& object, const RecordPlace&)>& use);

// A text of an object, not of another type. UserError at `where` that names the keys there are.
std::string text_at(const Json& object, const std::string& key, const std::string& where);

// The keys of an object, for messages.
std::string key_list(const Json& object);

}  // namespace mixtune
