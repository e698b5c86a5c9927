// Reads and checks the values of one config.json. Every error names the file, the key and the
// expected value.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "models/model_config.h"

namespace mixtune {

class ConfigFields {
 public:
  ConfigFields(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  const Json& json() const { return json_; }
  const std::string& where() const { return where_; }

  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }

  int64_t integer(const char* key, int64_t fallback, int64_t low, int64_t high) const {
    if (!has(key)) return fallback;
    if (!json_[key].is_number_integer()) wrong(key, "an integer");
    const int64_t value = json_[key].get<int64_t>();
    if (value < low || value > high)
      wrong(key, std::to_string(low) + " to " + std::to_string(high));
    return value;
  }

  double number(const char* key, double fallback, double low, double high) const {
    if (!has(key)) return fallback;
    if (!json_[key].is_number()) wrong(key, "a number");
    const double value = json_[key].get<double>();
    if (!(value >= low && value <= high))
      wrong(key, "a number from " + std::to_string(low) + " to " + std::to_string(high));
    return value;
  }

  bool flag(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    if (!json_[key].is_boolean()) wrong(key, "true or false");
    return json_[key].get<bool>();
  }

  std::string text(const char* key, std::string fallback) const {
    if (!has(key)) return fallback;
    if (!json_[key].is_string()) wrong(key, "a string");
    return json_[key].get<std::string>();
  }

  [[noreturn]] void wrong(const char* key, const std::string& expected) const {
    throw UserError(where_,
                    std::string(key) + " is " + json_[key].dump() + "; expected " + expected,
                    "Is this the config.json of a supported model?");
  }

  // id2label {"0": name, ...} to names in the order of ids.
  std::vector<std::string> labels() const {
    std::vector<std::string> out;
    if (!has("id2label")) return out;
    const Json& map = json_["id2label"];
    if (!map.is_object() || map.size() > 100000) wrong("id2label", "an object from ids to names");
    for (size_t i = 0; i < map.size(); ++i) {
      const auto found = map.find(std::to_string(i));
      if (found == map.end() || !found->is_string())
        wrong("id2label", "a name for every id from 0 to " + std::to_string(map.size() - 1));
      out.push_back(found->get<std::string>());
    }
    return out;
  }

 private:
  const Json& json_;
  std::string where_;
};

// Reads the fields of a config.json whose model_type is a decoder type.
bool is_decoder_type(const std::string& model_type);
const std::vector<std::string>& decoder_types();
void read_decoder(const ConfigFields& fields, ModelConfig& config);

// UserError unless `activation`, the value of `key`, is supported.
void check_activation(const ConfigFields& fields, const char* key, const std::string& activation);

}  // namespace mixtune
