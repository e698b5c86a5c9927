// Regular expressions by Oniguruma, the engine of the reference library: the patterns of
// tokenizer.json rely on its look-ahead, classes and Unicode tables.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/encoding.h"
#include "text/json_field.h"

struct re_pattern_buffer;

namespace mixtune {

class Regex {
 public:
  // `where` is the pattern's place in the file, for the error if it is malformed.
  Regex(const std::string& pattern, const JsonField& where);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // All non-overlapping matches from left to right; an empty match does not directly follow another
  // match. Throws UserError if the pattern exceeds the backtracking limit.
  std::vector<Span> matches(std::string_view text) const;

 private:
  re_pattern_buffer* compiled_ = nullptr;
  std::string pattern_;
};

// Letters, numbers and spaces as defined by Oniguruma.
enum class PatternClass : uint8_t { kOther, kLetter, kNumber, kSpace };
PatternClass pattern_class(uint32_t code_point);

// The `pattern` object of tokenizer.json: {"String": ...} or {"Regex": ...}.
class Pattern {
 public:
  explicit Pattern(const JsonField& field);
  std::vector<Span> matches(std::string_view text) const;

 private:
  std::string literal_;
  std::unique_ptr<const Regex> regex_;
};

}  // namespace mixtune
