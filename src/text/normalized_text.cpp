#include "text/normalized_text.h"

#include "text/unicode.h"

namespace mixtune {

void NormalizedText::assign(std::string_view original, uint32_t begin) {
  text.assign(original);
  origin.clear();
  base = begin;
}

Span NormalizedText::origin_at(size_t at) const {
  if (!origin.empty()) return origin[at];
  size_t begin = at, end = at + 1;
  while (begin > 0 && is_continuation(text[begin])) --begin;
  while (end < text.size() && is_continuation(text[end])) ++end;
  return {base + static_cast<uint32_t>(begin), base + static_cast<uint32_t>(end)};
}

Span NormalizedText::origin_of(Span bytes) const {
  if (bytes.begin >= bytes.end) {
    if (text.empty()) return {base, base};
    const Span last = origin_at(bytes.begin > 0 ? bytes.begin - 1 : 0);
    return {last.end, last.end};
  }
  return {origin_at(bytes.begin).begin, origin_at(bytes.end - 1).end};
}

void NormalizedText::copy_part(Span bytes, NormalizedText& part) const {
  part.text.assign(text, bytes.begin, bytes.end - bytes.begin);
  part.base = base + bytes.begin;
  part.origin.clear();
  if (!origin.empty()) part.origin.assign(origin.begin() + bytes.begin, origin.begin() + bytes.end);
}

TextRewriter::TextRewriter(NormalizedText& text) : target_(text) {
  text_.reserve(text.text.size() + 16);
  origin_.reserve(text.text.size() + 16);
}

void TextRewriter::put(uint32_t code_point, Span origin) {
  append_utf8(code_point, text_);
  origin_.resize(text_.size(), origin);
}

void TextRewriter::finish() {
  target_.text = std::move(text_);
  target_.origin = std::move(origin_);
}

void apply_changes(const std::vector<CharacterChange>& changes, NormalizedText& text) {
  TextRewriter rewriter(text);
  size_t taken = 0;
  const auto take_one = [&] {
    if (taken < text.text.size()) ++taken;
    while (taken < text.text.size() && is_continuation(text.text[taken])) ++taken;
  };
  for (const auto& [character, change] : changes) {
    if (change > 0) {
      rewriter.put(character, taken == 0 ? Span{text.base, text.base} : text.origin_at(taken - 1));
      continue;
    }
    rewriter.put(character, text.origin_at(std::min(taken, text.text.size() - 1)));
    for (int i = 0; i <= -change; ++i) take_one();
  }
  rewriter.finish();
}

}  // namespace mixtune
