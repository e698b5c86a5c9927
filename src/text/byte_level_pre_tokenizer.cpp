// ByteLevel: optionally prepends a space to the text, then optionally splits by GPT-2's pattern.
// The mapping of bytes to letters is not applied; the model works on bytes.
#include "text/gpt2_pattern.h"
#include "text/pre_tokenizer.h"

namespace mixtune {
namespace {

class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  explicit ByteLevelPreTokenizer(const JsonField& field)
      : adds_space_(field.boolean_or("add_prefix_space", true)),
        uses_pattern_(field.boolean_or("use_regex", true)) {}

  void apply(NormalizedText& text, std::vector<Span>& words) const override {
    if (adds_space_) add_spaces(text, words);
    if (!uses_pattern_) return;
    std::vector<Span> out;
    out.reserve(text.text.size() / 4 + 4);
    for (const Span& word : words) split_by_gpt2_pattern(text.text, word, out);
    words = std::move(out);
  }

 private:
  // An inserted space has the origin of the first character of its word.
  static void add_spaces(NormalizedText& text, std::vector<Span>& words) {
    NormalizedText out;
    out.base = text.base;
    for (Span& word : words) {
      const auto begin = static_cast<uint32_t>(out.text.size());
      if (text.text[word.begin] != ' ') {
        out.text += ' ';
        out.origin.push_back(text.origin_at(word.begin));
      }
      out.text.append(text.text, word.begin, word.end - word.begin);
      for (uint32_t at = word.begin; at < word.end; ++at) out.origin.push_back(text.origin_at(at));
      word = {begin, static_cast<uint32_t>(out.text.size())};
    }
    text = std::move(out);
  }

  bool adds_space_, uses_pattern_;
};

}  // namespace

std::unique_ptr<const PreTokenizer> read_byte_level_pre_tokenizer(const JsonField& field) {
  return std::make_unique<ByteLevelPreTokenizer>(field);
}

}  // namespace mixtune
