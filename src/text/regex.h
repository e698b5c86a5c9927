// Regular expressions by Oniguruma, the engine of the reference library: its look-ahead, classes
// and Unicode tables are what the patterns of tokenizer.json were written for.
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
  // `where` names the pattern's place in the file should it be malformed.
  Regex(const std::string& pattern, const JsonField& where);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // All matches from left to right, none overlapping; an empty match does not follow another match
  // directly. UserError where the pattern backtracks beyond reason.
  std::vector<Span> matches(std::string_view text) const;

 private:
  re_pattern_buffer* compiled_ = nullptr;
  std::string pattern_;
};

// What Oniguruma takes for a letter, a number and a space.
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
