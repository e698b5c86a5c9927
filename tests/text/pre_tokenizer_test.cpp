#include "text/pre_tokenizer.h"

#include <gtest/gtest.h>

namespace mixtune::test {
namespace {

using Words = std::vector<std::string>;

Words cut(const std::string& text, const std::string& pre_tokenizer) {
  const Json json = Json::parse(pre_tokenizer);
  const PreTokenizers steps = read_pre_tokenizers(JsonField(json, "test"));
  NormalizedText normalized;
  normalized.assign(text, 0);
  std::vector<Span> spans = {{0, static_cast<uint32_t>(text.size())}};
  for (const auto& step : steps.steps) step->apply(normalized, spans);
  Words words;
  for (const Span& span : spans)
    words.push_back(normalized.text.substr(span.begin, span.end - span.begin));
  return words;
}

std::string splitting(const std::string& behavior, bool invert = false) {
  return R"({"type": "Split", "pattern": {"String": "-"}, "behavior": ")" + behavior +
         R"(", "invert": )" + (invert ? "true}" : "false}");
}

TEST(PreTokenizer, SplitsByEveryBehavior) {
  // The example of the reference library's documentation.
  const std::string text = "the-final--countdown";
  EXPECT_EQ(cut(text, splitting("Removed")), (Words{"the", "final", "countdown"}));
  EXPECT_EQ(cut(text, splitting("Isolated")), (Words{"the", "-", "final", "-", "-", "countdown"}));
  EXPECT_EQ(cut(text, splitting("MergedWithPrevious")),
            (Words{"the-", "final-", "-", "countdown"}));
  EXPECT_EQ(cut(text, splitting("MergedWithNext")), (Words{"the", "-final", "-", "-countdown"}));
  EXPECT_EQ(cut(text, splitting("Contiguous")), (Words{"the", "-", "final", "--", "countdown"}));
  EXPECT_EQ(cut(text, splitting("Removed", true)), (Words{"-", "-", "-"}));
}

TEST(PreTokenizer, SplitsByCharacterClass) {
  EXPECT_EQ(cut("Hey you, 12!", R"({"type": "Whitespace"})"),
            (Words{"Hey", "you", ",", "12", "!"}));
  EXPECT_EQ(cut("a\u00a0b, c", R"({"type": "WhitespaceSplit"})"), (Words{"a", "b,", "c"}));
  EXPECT_EQ(cut("a1२3b", R"({"type": "Digits", "individual_digits": false})"),
            (Words{"a", "1२3", "b"}));
  EXPECT_EQ(cut("a12", R"({"type": "Digits", "individual_digits": true})"), (Words{"a", "1", "2"}));
  EXPECT_EQ(cut("hi!¿x", R"({"type": "Punctuation"})"), (Words{"hi", "!", "¿", "x"}));
  EXPECT_EQ(cut("axbx", R"({"type": "CharDelimiterSplit", "delimiter": "x"})"), (Words{"a", "b"}));
  EXPECT_EQ(cut(" it's $5 ok", R"({"type": "BertPreTokenizer"})"),
            (Words{"it", "'", "s", "$", "5", "ok"}));
}

TEST(PreTokenizer, RunsASequenceInOrder) {
  EXPECT_EQ(cut("ab 12 cd", R"({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
            {"type": "Digits", "individual_digits": true}]})"),
            (Words{"ab", "1", "2", "cd"}));
}

TEST(PreTokenizer, RespectsByteLevelWithoutItsPattern) {
  EXPECT_EQ(cut("a b's", R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})"),
            (Words{"a b's"}));
  EXPECT_EQ(cut("a b's", R"({"type": "ByteLevel", "add_prefix_space": true})"),
            (Words{" a", " b", "'s"}));
}

TEST(PreTokenizer, LooksAhead) {
  EXPECT_EQ(cut("a  b", R"({"type": "Split", "pattern": {"Regex": "\\s+(?!\\S)|\\s+"},
                            "behavior": "Isolated"})"),
            (Words{"a", " ", " ", "b"}));
}

}  // namespace
}  // namespace mixtune::test
