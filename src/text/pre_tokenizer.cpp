#include "text/pre_tokenizer.h"

#include <algorithm>
#include <functional>

#include "text/regex.h"
#include "text/split.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

// Splits each word at the matches of a function.
class SplitPreTokenizer : public PreTokenizer {
 public:
  using Finder = std::function<std::vector<Span>(std::string_view)>;
  SplitPreTokenizer(Finder finder, SplitBehavior behavior, bool invert)
      : finder_(std::move(finder)), behavior_(behavior), invert_(invert) {}

  void apply(NormalizedText& text, std::vector<Span>& words) const override {
    std::vector<Span> out;
    for (const Span& word : words) {
      const auto part = std::string_view(text.text).substr(word.begin, word.end - word.begin);
      split(finder_(part), static_cast<uint32_t>(part.size()), behavior_, invert_, word.begin, out);
    }
    words = std::move(out);
  }

 private:
  Finder finder_;
  SplitBehavior behavior_;
  bool invert_;
};

SplitPreTokenizer::Finder each(std::function<bool(uint32_t)> is_match) {
  return [is_match = std::move(is_match)](std::string_view text) {
    std::vector<Span> found;
    for (const char *at = text.data(), *end = at + text.size(); at < end;) {
      const auto begin = static_cast<uint32_t>(at - text.data());
      if (is_match(next_code_point(at)))
        found.push_back({begin, static_cast<uint32_t>(at - text.data())});
    }
    return found;
  };
}

// \w+|[^\w\s]+
std::vector<Span> words_and_symbols(std::string_view text) {
  enum class Kind { kSpace, kWord, kSymbol };
  std::vector<Span> found;
  Kind last = Kind::kSpace;
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    const auto begin = static_cast<uint32_t>(at - text.data());
    const uint32_t c = next_code_point(at);
    const Kind kind = is_word_character(c) ? Kind::kWord
                      : is_white_space(c)  ? Kind::kSpace
                                           : Kind::kSymbol;
    const auto after = static_cast<uint32_t>(at - text.data());
    if (kind != Kind::kSpace && kind == last)
      found.back().end = after;
    else if (kind != Kind::kSpace)
      found.push_back({begin, after});
    last = kind;
  }
  return found;
}

std::unique_ptr<const PreTokenizer> make_split(SplitPreTokenizer::Finder finder,
                                               SplitBehavior behavior, bool invert = false) {
  return std::make_unique<SplitPreTokenizer>(std::move(finder), behavior, invert);
}

std::unique_ptr<const PreTokenizer> read_split(const JsonField& field) {
  const auto pattern = std::make_shared<const Pattern>(field.at("pattern"));
  return make_split([pattern](std::string_view text) { return pattern->matches(text); },
                    read_behavior(field.at("behavior")), field.boolean_or("invert", false));
}

std::unique_ptr<const PreTokenizer> read_delimiter(const JsonField& field) {
  const std::string delimiter = field.at("delimiter").string();
  if (!is_valid_utf8(delimiter) || count_code_points(delimiter) != 1)
    field.at("delimiter").fail("is not a single character");
  const char* at = delimiter.data();
  return make_split(each([c = next_code_point(at)](uint32_t other) { return other == c; }),
                    SplitBehavior::kRemoved);
}

std::unique_ptr<const PreTokenizer> read_one(const JsonField& field, const std::string& type) {
  if (type == "BertPreTokenizer") return read_bert_pre_tokenizer();
  if (type == "ByteLevel") return read_byte_level_pre_tokenizer(field);
  if (type == "Metaspace") return read_metaspace_pre_tokenizer(field);
  if (type == "Split") return read_split(field);
  if (type == "CharDelimiterSplit") return read_delimiter(field);
  if (type == "Whitespace") return make_split(words_and_symbols, SplitBehavior::kRemoved, true);
  if (type == "WhitespaceSplit") return make_split(each(is_white_space), SplitBehavior::kRemoved);
  if (type == "Punctuation") {
    const auto behavior = field.find("behavior");
    return make_split(each(is_bert_punctuation),
                      behavior ? read_behavior(*behavior) : SplitBehavior::kIsolated);
  }
  if (type == "Digits")
    return make_split(each(is_numeric), field.boolean_or("individual_digits", false)
                                            ? SplitBehavior::kIsolated
                                            : SplitBehavior::kContiguous);
  field.at("type").reject(
      type,
      "Sequence, BertPreTokenizer, ByteLevel, Metaspace, Split, Whitespace, WhitespaceSplit, "
      "Punctuation, Digits or CharDelimiterSplit");
}

void append(const JsonField& field, PreTokenizers& out) {
  const std::string type = field.at("type").string();
  if (type == "Sequence") {
    const JsonField list = field.at("pretokenizers");
    for (size_t i = 0; i < list.size(); ++i) append(list.at(i), out);
    return;
  }
  // After ByteLevel a text is no longer in its own letters; no published tokenizer splits it
  // further.
  if (out.byte_level)
    field.at("type").reject(type + " behind ByteLevel", "ByteLevel as the last pre-tokenizer");
  out.steps.push_back(read_one(field, type));
  out.byte_level = type == "ByteLevel";
}

}  // namespace

PreTokenizers read_pre_tokenizers(const JsonField& field) {
  PreTokenizers out;
  append(field, out);
  return out;
}

}  // namespace mixtune
