// BertPreTokenizer: white space separates words, and each punctuation character is a word. ASCII
// characters are classified by a table.
#include <array>

#include "text/pre_tokenizer.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

enum class Kind : uint8_t { kWord, kSpace, kPunctuation };

Kind kind_of(uint32_t c) {
  return is_white_space(c)        ? Kind::kSpace
         : is_bert_punctuation(c) ? Kind::kPunctuation
                                  : Kind::kWord;
}

class BertPreTokenizer : public PreTokenizer {
 public:
  BertPreTokenizer() {
    for (uint32_t c = 0; c < 128; ++c) ascii_[c] = kind_of(c);
  }

  void apply(NormalizedText& text, std::vector<Span>& words) const override {
    std::vector<Span> out;
    out.reserve(text.text.size() / 4 + 4);
    const char* const begin = text.text.data();
    for (const Span& word : words) {
      const char* at = begin + word.begin;
      const char* const end = begin + word.end;
      const char* start = at;  // of the current word
      while (at < end) {
        const char* const here = at;
        const auto byte = static_cast<uint8_t>(*at);
        const Kind kind = byte < 0x80 ? (++at, ascii_[byte]) : kind_of(next_code_point(at));
        if (kind == Kind::kWord) continue;
        if (start < here) out.push_back(span(begin, start, here));
        if (kind == Kind::kPunctuation) out.push_back(span(begin, here, at));
        start = at;
      }
      if (start < end) out.push_back(span(begin, start, end));
    }
    words = std::move(out);
  }

 private:
  static Span span(const char* text, const char* begin, const char* end) {
    return {static_cast<uint32_t>(begin - text), static_cast<uint32_t>(end - text)};
  }
  std::array<Kind, 128> ascii_;
};

}  // namespace

std::unique_ptr<const PreTokenizer> read_bert_pre_tokenizer() {
  return std::make_unique<BertPreTokenizer>();
}

}  // namespace mixtune
