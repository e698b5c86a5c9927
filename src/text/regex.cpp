#include "text/regex.h"

#include <oniguruma.h>

#include <memory>
#include <mutex>

#include "base/error.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

const auto* bytes(const char* text) {
  return reinterpret_cast<const OnigUChar*>(text);
}

// Oniguruma must be initialized with its encodings once per process, before anything else.
void start_oniguruma() {
  static std::once_flag once;
  std::call_once(once, [] {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
  });
}

std::string message(int code, OnigErrorInfo* info = nullptr) {
  OnigUChar text[ONIG_MAX_ERROR_MESSAGE_LEN];
  const int size =
      info ? onig_error_code_to_str(text, code, info) : onig_error_code_to_str(text, code);
  return std::string(reinterpret_cast<const char*>(text), std::max(size, 0));
}

int property(std::string name) {
  start_oniguruma();
  auto* text = reinterpret_cast<OnigUChar*>(name.data());
  return ONIG_ENCODING_UTF8->property_name_to_ctype(ONIG_ENCODING_UTF8, text, text + name.size());
}

}  // namespace

Regex::Regex(const std::string& pattern, const JsonField& where) : pattern_(pattern) {
  start_oniguruma();
  if (!is_valid_utf8(pattern)) where.fail("is not UTF-8; expected a regular expression");
  OnigErrorInfo info;
  const auto* text = bytes(pattern_.data());
  const int code = onig_new(&compiled_, text, text + pattern_.size(), ONIG_OPTION_NONE,
                            ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
  if (code != ONIG_NORMAL)
    where.fail("is not a regular expression (" + message(code, &info) + ")",
               "Correct the pattern.");
}

Regex::~Regex() {
  if (compiled_) onig_free(compiled_);
}

std::vector<Span> Regex::matches(std::string_view text) const {
  const std::unique_ptr<OnigRegion, void (*)(OnigRegion*)> region(
      onig_region_new(), [](OnigRegion* r) { onig_region_free(r, 1); });
  const auto* begin = bytes(text.data());
  const auto* end = begin + text.size();
  std::vector<Span> found;
  for (size_t from = 0; from <= text.size();) {
    onig_region_clear(region.get());
    const int at =
        onig_search(compiled_, begin, end, begin + from, end, region.get(), ONIG_OPTION_NONE);
    if (at == ONIG_MISMATCH) break;
    if (at < 0)
      throw UserError("regular expression " + pattern_,
                      "could not be matched (" + message(at) + ")",
                      "Use a simpler pattern in tokenizer.json.");
    const Span match{static_cast<uint32_t>(region->beg[0]), static_cast<uint32_t>(region->end[0])};
    const bool directly_after = !found.empty() && found.back().end == match.end;
    from = match.end;
    if (match.begin == match.end) {
      do ++from;
      while (from < text.size() && is_continuation(text[from]));
      if (directly_after) continue;
    }
    found.push_back(match);
  }
  return found;
}

PatternClass pattern_class(uint32_t c) {
  static const int letter = property("L"), number = property("N");
  if (ONIGENC_IS_CODE_CTYPE(ONIG_ENCODING_UTF8, c, letter)) return PatternClass::kLetter;
  if (ONIGENC_IS_CODE_CTYPE(ONIG_ENCODING_UTF8, c, number)) return PatternClass::kNumber;
  if (ONIGENC_IS_CODE_SPACE(ONIG_ENCODING_UTF8, c)) return PatternClass::kSpace;
  return PatternClass::kOther;
}

Pattern::Pattern(const JsonField& field) {
  if (const auto regex = field.find("Regex"))
    regex_ = std::make_unique<const Regex>(regex->string(), *regex);
  else if (const auto literal = field.find("String"))
    literal_ = literal->string();
  else
    field.fail("has neither \"String\" nor \"Regex\"");
}

std::vector<Span> Pattern::matches(std::string_view text) const {
  if (regex_) return regex_->matches(text);
  std::vector<Span> found;
  if (literal_.empty()) return found;
  for (size_t at = 0; (at = text.find(literal_, at)) != std::string_view::npos;
       at += literal_.size())
    found.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + literal_.size())});
  return found;
}

}  // namespace mixtune
