#include "text/gpt2_pattern.h"

#include <array>

#include "text/regex.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

using Class = PatternClass;

const std::array<Class, 128>& ascii_classes() {
  static const std::array<Class, 128> classes = [] {
    std::array<Class, 128> out{};
    for (uint32_t c = 0; c < 128; ++c) out[c] = pattern_class(c);
    return out;
  }();
  return classes;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : end_(text.data() + text.size()) {}

  // The end of the match that begins at `at`.
  const char* match(const char* at) const {
    if (*at == '\'') {
      if (const size_t size = contraction(at)) return at + size;
    }
    const char* body = *at == ' ' && at + 1 < end_ ? at + 1 : at;
    const char* after = body;
    const Class first = next(after);
    if (first != Class::kSpace) return run_end(after, first);
    return spaces(at);
  }

 private:
  Class next(const char*& at) const {
    const auto byte = static_cast<uint8_t>(*at);
    if (byte < 0x80) return ++at, ascii_[byte];
    return pattern_class(next_code_point(at));
  }

  const char* run_end(const char* at, Class kind) const {
    while (at < end_) {
      const char* after = at;
      if (next(after) != kind) break;
      at = after;
    }
    return at;
  }

  size_t contraction(const char* at) const {
    const size_t left = end_ - at;
    if (left < 2) return 0;
    const char a = at[1];
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if (left < 3) return 0;
    const char b = at[2];
    return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
  }

  // White space up to the end of the text is one match. Before a word, its last character belongs
  // to the word, unless it is the only one.
  const char* spaces(const char* at) const {
    const char* last = at;
    const char* after = at;
    for (const char* look = at; look < end_ && next(look) == Class::kSpace; after = look)
      last = after;
    return after == end_ || last == at ? after : last;
  }

  const char* end_;
  const std::array<Class, 128>& ascii_ = ascii_classes();
};

}  // namespace

void split_by_gpt2_pattern(std::string_view text, Span part, std::vector<Span>& out) {
  const Scanner scanner(text.substr(0, part.end));
  const char* const begin = text.data();
  for (const char *at = begin + part.begin, *end = begin + part.end; at < end;) {
    const char* const after = scanner.match(at);
    out.push_back({static_cast<uint32_t>(at - begin), static_cast<uint32_t>(after - begin)});
    at = after;
  }
}

}  // namespace mixtune
