// A value of tokenizer.json together with its path, so that every error names the place. The file
// is untrusted input: every value is checked before it is used.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"

namespace mixtune {

class JsonField {
 public:
  JsonField(const Json& value, std::string file, std::string path = "")
      : value_(&value), file_(std::move(file)), path_(std::move(path)) {}

  JsonField at(const std::string& key) const;                   // required
  std::optional<JsonField> find(const std::string& key) const;  // nothing if absent or null
  JsonField at(size_t index) const;
  size_t size() const;  // of a list

  std::string string() const;
  bool boolean() const;
  int64_t integer(int64_t least, int64_t most) const;
  double number() const;
  bool boolean_or(const std::string& key, bool fallback) const;
  std::string string_or(const std::string& key, const std::string& fallback) const;

  const Json& object() const;
  const Json& list() const;
  bool is_object() const { return value_->is_object(); }
  bool is_list() const { return value_->is_array(); }
  bool is_string() const { return value_->is_string(); }

  // `found` as in "is 9; expected 1 to 8".
  [[noreturn]] void fail(const std::string& found, const std::string& todo = "") const;
  // For a known component that is not supported.
  [[noreturn]] void reject(const std::string& component, const std::string& supported) const;

 private:
  const Json* value_;
  std::string file_, path_;
};

}  // namespace mixtune
