#include "text/normalizer.h"

#include <gtest/gtest.h>

namespace mixtune::test {
namespace {

NormalizedText normalized(const std::string& text, const std::string& normalizer) {
  const Json json = Json::parse(normalizer);
  NormalizedText out;
  out.assign(text, 0);
  read_normalizer(JsonField(json, "test"))->apply(out);
  return out;
}

TEST(Normalizer, AppliesTheFourForms) {
  EXPECT_EQ(normalized("e\u0301\u212B", R"({"type": "NFC"})").text, "é\u00C5");
  EXPECT_EQ(normalized("é한", R"({"type": "NFD"})").text, "e\u0301\u1112\u1161\u11AB");
  EXPECT_EQ(normalized("ﬁ①", R"({"type": "NFKC"})").text, "fi1");
  EXPECT_EQ(normalized("é²", R"({"type": "NFKD"})").text, "e\u03012");
}

TEST(Normalizer, OrdersMarksAndComposesAcrossThem) {
  // Dot below (220) comes before circumflex (230); both then compose with the letter.
  EXPECT_EQ(normalized("o\u0302\u0323", R"({"type": "NFD"})").text, "o\u0323\u0302");
  EXPECT_EQ(normalized("o\u0302\u0323", R"({"type": "NFC"})").text, "\u1ED9");
  EXPECT_EQ(normalized("\u1112\u1161\u11AB", R"({"type": "NFC"})").text, "한");
}

TEST(Normalizer, TracksTheOriginOfCharacters) {
  const NormalizedText text = normalized("ﬁé", R"({"type": "NFKD"})");
  EXPECT_EQ(text.text, "fie\u0301");
  EXPECT_EQ(text.origin_of({0, 1}), (Span{0, 3}));
  EXPECT_EQ(text.origin_of({1, 2}), (Span{0, 3}));
  EXPECT_EQ(text.origin_of({2, 5}), (Span{3, 5}));
}

TEST(Normalizer, StripsLowercasesAndReplaces) {
  EXPECT_EQ(normalized(" \u00a0a b\n", R"({"type": "Strip"})").text, "a b");
  EXPECT_EQ(normalized(" a ", R"({"type": "Strip", "strip_left": false})").text, " a");
  EXPECT_EQ(normalized(" \t ", R"({"type": "Strip"})").text, "");
  EXPECT_EQ(normalized(" a", R"({"type": "Strip"})").origin_of({0, 1}), (Span{1, 2}));
  EXPECT_EQ(normalized("ÀΣİ", R"({"type": "Lowercase"})").text, "àσi\u0307");
  EXPECT_EQ(normalized("e\u0301\u0302x", R"({"type": "StripAccents"})").text, "ex");
  EXPECT_EQ(
      normalized("a  b   c", R"({"type": "Replace", "pattern": {"Regex": " +"}, "content": "_"})")
          .text,
      "a_b_c");
  EXPECT_EQ(
      normalized("a.b.", R"({"type": "Replace", "pattern": {"String": "."}, "content": "!?"})")
          .text,
      "a!?b!?");
}

TEST(Normalizer, RunsASequenceInOrder) {
  EXPECT_EQ(normalized(" É", R"({"type": "Sequence", "normalizers": [{"type": "NFD"},
                       {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "Strip"}]})")
                .text,
            "e");
}

}  // namespace
}  // namespace mixtune::test
