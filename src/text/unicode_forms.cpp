#include "text/unicode_forms.h"

#include <utf8proc.h>

#include <algorithm>
#include <optional>

#include "text/unicode.h"

namespace mixtune {
namespace {

int combining_class(uint32_t c) {
  // Every character with a combining class is a mark, and is_mark excludes characters newer than
  // the reference library's tables.
  return !is_mark(c) ? 0 : utf8proc_get_property(static_cast<int32_t>(c))->combining_class;
}

std::optional<uint32_t> compose_pair(uint32_t a, uint32_t b) {
  if (b < 0x300) return std::nullopt;  // no smaller character composes with the one before it
  int32_t buffer[3] = {static_cast<int32_t>(a), static_cast<int32_t>(b), 0};
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  if (utf8proc_normalize_utf32(buffer, 2, options) != 1) return std::nullopt;
  const auto composed = static_cast<uint32_t>(buffer[0]);
  return has_decomposition(composed) ? std::optional(composed) : std::nullopt;
}

}  // namespace

void decompose(uint32_t character, Decomposition kind, std::vector<CharacterChange>& out) {
  if (!has_decomposition(character)) {
    out.emplace_back(character, 0);
    return;
  }
  int32_t parts[64];
  int boundary = 0;
  int options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE;
  if (kind == Decomposition::kCompatible) options |= UTF8PROC_COMPAT;
  const auto count =
      utf8proc_decompose_char(static_cast<int32_t>(character), parts, std::size(parts),
                              static_cast<utf8proc_option_t>(options), &boundary);
  if (count <= 0) {
    out.emplace_back(character, 0);
    return;
  }
  for (long i = 0; i < std::min<long>(count, std::size(parts)); ++i)
    out.emplace_back(static_cast<uint32_t>(parts[i]), i > 0 ? 1 : 0);
}

void order_marks(std::vector<CharacterChange>& characters) {
  for (auto begin = characters.begin(); begin != characters.end();) {
    if (combining_class(begin->first) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, characters.end(), [](const CharacterChange& character) {
      return combining_class(character.first) == 0;
    });
    std::stable_sort(begin, end, [](const CharacterChange& a, const CharacterChange& b) {
      return combining_class(a.first) < combining_class(b.first);
    });
    begin = end;
  }
}

void compose(std::vector<CharacterChange>& characters) {
  std::vector<CharacterChange> out;
  out.reserve(characters.size());
  size_t starter = SIZE_MAX;  // index in out of the last starter
  int last_class = -1;        // of the last mark after the starter; -1: none
  for (const CharacterChange& next : characters) {
    const int next_class = combining_class(next.first);
    if (starter != SIZE_MAX && last_class < next_class) {
      if (const auto composed = compose_pair(out[starter].first, next.first)) {
        // The composed character consumes what both characters consumed.
        out[starter] = {*composed, out[starter].second + next.second - 1};
        continue;
      }
    }
    if (next_class == 0) {
      starter = out.size();
      last_class = -1;
    } else {
      last_class = next_class;
    }
    out.push_back(next);
  }
  characters = std::move(out);
}

}  // namespace mixtune
