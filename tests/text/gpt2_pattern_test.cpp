#include "text/gpt2_pattern.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "support/paths.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace mixtune::test {
namespace {

const Regex& oniguruma() {
  static const Json nothing;
  static const Regex regex(std::string(kGpt2Pattern), JsonField(nothing, "test"));
  return regex;
}

std::vector<std::string> words(const std::vector<Span>& spans, const std::string& text) {
  std::vector<std::string> out;
  for (const Span& span : spans) out.push_back(text.substr(span.begin, span.end - span.begin));
  return out;
}

std::vector<std::string> by_hand(const std::string& text) {
  std::vector<Span> spans;
  split_by_gpt2_pattern(text, {0, static_cast<uint32_t>(text.size())}, spans);
  return words(spans, text);
}

void expect_equal(const std::string& text) {
  EXPECT_EQ(by_hand(text), words(oniguruma().matches(text), text)) << text;
}

TEST(Gpt2Pattern, SplitsAsInThePaper) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(by_hand("I'll say it's 42  times!\n"),
            (Words{"I", "'ll", " say", " it", "'s", " 42", " ", " times", "!", "\n"}));
  EXPECT_EQ(by_hand("a\n\n b"), (Words{"a", "\n\n", " b"}));
  EXPECT_EQ(by_hand("x   "), (Words{"x", "   "}));
}

TEST(Gpt2Pattern, EqualsOnigurumaOnDifficultStrings) {
  const char* hard[] = {"",
                        " ",
                        "  ",
                        "'",
                        "' s",
                        "'S",
                        "'re've'm'd",
                        " 's",
                        "''s",
                        "\t x",
                        " \t x",
                        "x\u00a0y",
                        "\u00a0\u00a0y",
                        "½ ²³",
                        "Ⅷ٣ x",
                        "é\u0301",
                        "中文 字",
                        "a\u200db",
                        "😀😀 !",
                        "\u3000\u3000.",
                        "\u0085\u0085a",
                        "1a!1 a !",
                        " \n",
                        "a  "};
  for (const char* text : hard) expect_equal(text);
}

TEST(Gpt2Pattern, EqualsOnigurumaOnEveryCodePoint) {
  std::string text;
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    append_utf8(c, text);
    text += c % 3 == 0 ? " " : c % 3 == 1 ? "a" : "";
    if (text.size() < 4096) continue;
    expect_equal(text);
    text.clear();
  }
  expect_equal(text);
}

TEST(Gpt2Pattern, EqualsOnigurumaOnRandomTexts) {
  std::mt19937 random(20261122);
  const char* parts[] = {"a",      "Zé",     "'",      "'s", "'ll",    "'v",   "e", " ", "  ",
                         "\t",     "\n",     "\r",     "1",  "½",      "٣",    "!", "-", "中",
                         "\u00a0", "\u2003", "\u0301", "😀",  "\u200d", "\x1f", "_", "ǅ"};
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (int n = random() % 14; n > 0; --n) text += parts[random() % std::size(parts)];
    expect_equal(text);
  }
}

TEST(Gpt2Pattern, EqualsOnigurumaOnEnglishText) {
  const fs::path file = data_dir() / "corpora" / "en_wikipedia_texts.txt";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not here";
  std::ifstream stream(file);
  std::string text(300000, ' ');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  while (!is_valid_utf8(text)) text.pop_back();
  expect_equal(text);
}

}  // namespace
}  // namespace mixtune::test
