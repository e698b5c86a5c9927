// Character classes as in the reference library: its normalization tables are of Unicode 9 and
// older, so newer characters have no class there. Without these lists the newer utf8proc would give
// different tokens for such characters.
#include <utf8proc.h>

#include <algorithm>
#include <span>

#include "text/reference_unicode_tables.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

bool contains(std::span<const CodePointRange> ranges, uint32_t c) {
  const auto after = std::upper_bound(
      ranges.begin(), ranges.end(), c,
      [](uint32_t value, const CodePointRange& range) { return value < range.first; });
  return after != ranges.begin() && c <= std::prev(after)->last;
}

utf8proc_category_t category_today(uint32_t c) {
  return utf8proc_category(static_cast<int32_t>(c));
}

}  // namespace

bool is_bert_punctuation(uint32_t c) {
  if (c < 0x80)
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  switch (category_today(c)) {
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return !contains(kPunctuationToday, c);
    default:
      return contains(kPunctuationThen, c);
  }
}

bool is_bert_control(uint32_t c) {
  if (c < 0x80) return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
  switch (category_today(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
      return !contains(kControlToday, c);
    default:
      return false;
  }
}

bool is_bert_accent(uint32_t c) {
  if (c < 0x300) return false;
  if (category_today(c) == UTF8PROC_CATEGORY_MN) return !contains(kAccentToday, c);
  return contains(kAccentThen, c);
}

bool is_mark(uint32_t c) {
  if (c < 0x300) return false;
  switch (category_today(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return !contains(kMarkToday, c);
    default:
      return contains(kMarkThen, c);
  }
}

bool has_decomposition(uint32_t c) {
  return c >= 0xA0 && !contains(kDecompositionToday, c);
}

bool is_bert_ideograph(uint32_t c) {
  // The block from U+2B820 starts at U+2B920, as in the reference library.
  return c >= 0x3400 &&
         ((c >= 0x4E00 && c <= 0x9FFF) || (c <= 0x4DBF) || (c >= 0xF900 && c <= 0xFAFF) ||
          (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
          (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0x2F800 && c <= 0x2FA1F));
}

}  // namespace mixtune
