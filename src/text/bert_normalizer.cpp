// BertNormalizer: removes control characters and accents, maps white space to spaces, puts spaces
// around ideographs and lowercases. Runs of ASCII, nearly all of English text, use a table; no rule
// crosses from one run into the next, because ASCII characters neither combine nor are reordered
// among marks.
#include <array>

#include "text/normalizer.h"
#include "text/unicode.h"
#include "text/unicode_forms.h"

namespace mixtune {
namespace {

struct Character {
  uint32_t value;
  Span origin;
};

class BertNormalizer : public Normalizer {
 public:
  explicit BertNormalizer(const JsonField& field)
      : cleans_(field.boolean_or("clean_text", true)),
        separates_ideographs_(field.boolean_or("handle_chinese_chars", true)),
        lowers_(field.boolean_or("lowercase", true)),
        strips_accents_(field.boolean_or("strip_accents", lowers_)) {
    for (uint32_t c = 0; c < 128; ++c) {
      ascii_[c] = static_cast<char>(lowers_ ? to_lower(c).first : c);
      if (!cleans_) continue;
      if (is_white_space(c) && !is_bert_control(c)) ascii_[c] = ' ';
      removed_[c] = c == 0 || is_bert_control(c);
    }
  }

  void apply(NormalizedText& text) const override {
    if (text.origin.empty() && in_place(text.text)) return;
    std::string out;
    std::vector<Span> origin;
    out.reserve(text.text.size() + 16);
    origin.reserve(text.text.size() + 16);
    std::vector<Character> run;
    const char *begin = text.text.data(), *end = begin + text.text.size();
    for (const char* at = begin; at < end;) {
      if (static_cast<uint8_t>(*at) < 0x80) {
        if (!removed_[static_cast<uint8_t>(*at)]) {
          out += ascii_[static_cast<uint8_t>(*at)];
          origin.push_back(text.origin_at(at - begin));
        }
        ++at;
        continue;
      }
      run.clear();
      while (at < end && static_cast<uint8_t>(*at) >= 0x80) {
        const Span from = text.origin_at(at - begin);
        clean(next_code_point(at), from, run);
      }
      finish_run(run, out, origin);
    }
    text.text = std::move(out);
    text.origin = std::move(origin);
  }

 private:
  // Maps a text in place if it is ASCII without a character to remove. Otherwise returns false and
  // changes nothing.
  bool in_place(std::string& text) const {
    for (char byte : text)
      if (static_cast<uint8_t>(byte) >= 0x80 || removed_[static_cast<uint8_t>(byte)]) return false;
    for (char& byte : text) byte = ascii_[static_cast<uint8_t>(byte)];
    return true;
  }

  void clean(uint32_t c, Span origin, std::vector<Character>& run) const {
    if (cleans_) {
      if (c == 0xFFFD || is_bert_control(c)) return;
      if (is_white_space(c)) c = ' ';
    }
    const bool apart = separates_ideographs_ && is_bert_ideograph(c);
    if (apart) run.push_back({' ', origin});
    run.push_back({c, origin});
    if (apart) run.push_back({' ', origin});
  }

  void finish_run(std::vector<Character>& run, std::string& out, std::vector<Span>& origin) const {
    if (strips_accents_) strip_accents(run);
    const auto put = [&](uint32_t c, Span from) {
      append_utf8(c, out);
      origin.resize(out.size(), from);
    };
    for (const Character& character : run) {
      const Lowered lowered = lowers_ ? to_lower(character.value) : Lowered{character.value, 0};
      put(lowered.first, character.origin);
      if (lowered.second) put(lowered.second, character.origin);
    }
  }

  // Applies NFD, then removes every nonspacing mark. The n-th character that is not an insertion
  // gets the origin of the n-th original character, even if marks were reordered, as in the
  // reference library.
  static void strip_accents(std::vector<Character>& run) {
    std::vector<CharacterChange> parts;
    for (const Character& character : run)
      decompose(character.value, Decomposition::kCanonical, parts);
    order_marks(parts);
    std::vector<Character> out;
    size_t taken = 0;
    for (const auto& [c, change] : parts) {
      if (change <= 0) ++taken;
      if (!is_bert_accent(c)) out.push_back({c, run[taken > 0 ? taken - 1 : 0].origin});
    }
    run = std::move(out);
  }

  bool cleans_, separates_ideographs_, lowers_, strips_accents_;
  std::array<char, 128> ascii_{};
  std::array<bool, 128> removed_{};
};

}  // namespace

std::unique_ptr<const Normalizer> read_bert_normalizer(const JsonField& field) {
  return std::make_unique<BertNormalizer>(field);
}

}  // namespace mixtune
