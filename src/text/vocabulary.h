// The tokens of a model, as spelled in its file, with their ids. All tokens share one buffer, so a
// large vocabulary loads quickly.
#pragma once

#include <string>

#include "text/json_field.h"
#include "text/string_table.h"

namespace mixtune {

// Larger ids are treated as file damage: no published vocabulary is a quarter of this size.
inline constexpr int64_t kLargestTokenId = (int64_t{1} << 22) - 1;

class Vocabulary {
 public:
  // The object {"token": id, ...}, or the list [["token", score], ...] in the order of ids.
  explicit Vocabulary(const JsonField& field);
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  int32_t find(std::string_view token) const { return table_.find(token); }  // -1: absent
  bool has(int32_t id) const;
  std::string_view token(int32_t id) const;  // empty if there is none
  int32_t size() const {
    return static_cast<int32_t>(tokens_.size());
  }  // one more than the largest id

 private:
  void read_ids(const JsonField& field);
  void read_list(const JsonField& field);
  void add(const std::string& token, int32_t id, const JsonField& field);

  std::string letters_;  // all tokens concatenated; the views below point into it
  std::vector<std::string_view> tokens_;
  StringTable table_;
};

}  // namespace mixtune
