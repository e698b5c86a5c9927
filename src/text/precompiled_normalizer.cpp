// Precompiled: SentencePiece's character map as applied by the reference library. This differs
// slightly from SentencePiece: it works on grapheme clusters, and the replacement for the beginning
// of a short cluster replaces the whole cluster.
#include "text/base64.h"
#include "text/charsmap.h"
#include "text/normalizer.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

class PrecompiledNormalizer : public Normalizer {
 public:
  explicit PrecompiledNormalizer(Charsmap map) : map_(std::move(map)) {}

  void apply(NormalizedText& text) const override {
    constexpr size_t kLongestCluster = 5;  // in bytes; longer ones are mapped by character
    std::vector<CharacterChange> characters;
    characters.reserve(text.text.size());
    bool is_changed = false;
    const auto replace = [&](std::string_view part) {
      const auto found = map_.find(part);
      if (found) put(part, *found, characters);
      is_changed = is_changed || found;
      return found.has_value();
    };
    for (std::string_view rest = text.text; !rest.empty();) {
      std::string_view cluster = rest.substr(0, grapheme_size(rest));
      rest.remove_prefix(cluster.size());
      if (cluster.size() <= kLongestCluster && replace(cluster)) continue;
      while (!cluster.empty()) {
        const char* after = cluster.data();
        const uint32_t character = next_code_point(after);
        const auto part = cluster.substr(0, after - cluster.data());
        if (!replace(part)) characters.emplace_back(character, 0);
        cluster.remove_prefix(part.size());
      }
    }
    if (is_changed) apply_changes(characters, text);
  }

 private:
  // If the new text is longer, its last characters are insertions; if it is shorter, the character
  // before consumes the removed ones.
  static void put(std::string_view before, std::string_view after,
                  std::vector<CharacterChange>& out) {
    const auto more =
        static_cast<int>(count_code_points(after)) - static_cast<int>(count_code_points(before));
    for (const char *at = after.data(), *end = at + after.size(); at < end;)
      out.emplace_back(next_code_point(at), 0);
    for (int i = 0; i < more; ++i) out[out.size() - 1 - i].second = 1;
    if (more < 0 && !out.empty()) out.back().second += more;
  }

  Charsmap map_;
};

class NoNormalizer : public Normalizer {
 public:
  void apply(NormalizedText&) const override {}
};

}  // namespace

std::unique_ptr<const Normalizer> read_precompiled_normalizer(const JsonField& field) {
  const JsonField map = field.at("precompiled_charsmap");
  const auto bytes = from_base64(map.string());
  if (!bytes) map.fail("is not base64");
  if (bytes->empty()) return std::make_unique<NoNormalizer>();
  std::string error;
  Charsmap charsmap = Charsmap::read(*bytes, error);
  if (!error.empty()) map.fail(error);
  return std::make_unique<PrecompiledNormalizer>(std::move(charsmap));
}

}  // namespace mixtune
