// Metaspace: replaces each space by ▁ and prepends one to the text; a word begins at each ▁.
// Origins of inserted characters are those of the character that follows.
#include "text/metaspace.h"
#include "text/pre_tokenizer.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

PrependScheme read_scheme(const JsonField& field) {
  const std::string name = field.string();
  if (name == "always") return PrependScheme::kAlways;
  if (name == "first") return PrependScheme::kFirst;
  if (name == "never") return PrependScheme::kForbidden;
  field.reject(name, "always, first or never");
}

class MetaspacePreTokenizer : public PreTokenizer {
 public:
  explicit MetaspacePreTokenizer(Metaspace settings) : settings_(std::move(settings)) {}

  void apply(NormalizedText& text, std::vector<Span>& words) const override {
    NormalizedText out;
    out.base = text.base;
    out.text.reserve(text.text.size() * 3 / 2 + 4);
    out.origin.reserve(text.text.size() * 3 / 2 + 4);
    std::vector<Span> cut;
    for (const Span& word : words) add_word(text, word, out, cut);
    text = std::move(out);
    words = std::move(cut);
  }

 private:
  void add_word(const NormalizedText& text, Span word, NormalizedText& out,
                std::vector<Span>& cut) const {
    const auto size = [&] { return static_cast<uint32_t>(out.text.size()); };
    const auto put = [&](std::string_view letters, Span origin) {
      out.text += letters;
      out.origin.resize(out.text.size(), origin);
    };
    const auto letters = std::string_view(text.text).substr(0, word.end);
    const bool has_space =
        letters[word.begin] == ' ' || letters.substr(word.begin).starts_with(settings_.replacement);
    uint32_t begin = size();
    if (!has_space && prepends(text, word)) put(settings_.replacement, text.origin_at(word.begin));
    for (uint32_t at = word.begin; at < word.end;) {
      const char* after = letters.data() + at;
      next_code_point(after);
      const auto character = letters.substr(at, after - letters.data() - at);
      const bool is_space = character == " " || character == settings_.replacement;
      if (is_space && settings_.splits && size() > begin) {
        cut.push_back({begin, size()});
        begin = size();
      }
      put(is_space ? settings_.replacement : character, text.origin_at(at));
      at += static_cast<uint32_t>(character.size());
    }
    cut.push_back({begin, size()});
  }

  // "first" prepends only if the word begins the caller's text, which a word behind an added token
  // does not.
  bool prepends(const NormalizedText& text, Span word) const {
    if (settings_.scheme == PrependScheme::kFirst) return text.origin_at(word.begin).begin == 0;
    return settings_.scheme == PrependScheme::kAlways;
  }

  Metaspace settings_;
};

}  // namespace

Metaspace read_metaspace(const JsonField& field) {
  Metaspace out;
  const JsonField replacement = field.at("replacement");
  out.replacement = replacement.string();
  if (!is_valid_utf8(out.replacement) || count_code_points(out.replacement) != 1)
    replacement.fail("is not a single character");
  if (const auto scheme = field.find("prepend_scheme")) out.scheme = read_scheme(*scheme);
  out.splits = field.boolean_or("split", true);
  // Files older than prepend_scheme have this instead; if both are present, they must agree.
  if (!field.boolean_or("add_prefix_space", true)) {
    if (field.find("prepend_scheme") && out.scheme != PrependScheme::kForbidden)
      field.at("add_prefix_space").fail("is false, but prepend_scheme is not \"never\"");
    out.scheme = PrependScheme::kForbidden;
  }
  return out;
}

std::unique_ptr<const PreTokenizer> read_metaspace_pre_tokenizer(const JsonField& field) {
  return std::make_unique<MetaspacePreTokenizer>(read_metaspace(field));
}

}  // namespace mixtune
