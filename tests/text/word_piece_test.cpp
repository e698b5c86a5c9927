#include <gtest/gtest.h>

#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

TEST(WordPiece, TakesTheLongestPieceFromTheLeft) {
  const Tokenizer tokenizer = load_json(bert_json());
  EXPECT_EQ(tokenizer.encode("Playing the", kPlain).ids, (Ids{3, 4, 8}));
  EXPECT_EQ(tokenizer.encode("played,played").ids, (Ids{1, 3, 5, 7, 3, 5, 2}));
}

TEST(WordPiece, MakesAWordUnknownIfItsEndHasNoPiece) {
  const Tokenizer tokenizer = load_json(bert_json());
  const Encoding encoding = tokenizer.encode("the playingx.", kWithOffsets);
  EXPECT_EQ(encoding.ids, (Ids{8, 0, 13}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 3}, {4, 12}, {12, 13}}));
}

TEST(WordPiece, CountsCharactersNotBytesAgainstTheLongestWord) {
  Json json = bert_json();
  json["model"]["max_input_chars_per_word"] = 4;
  json["normalizer"] = nullptr;
  json["model"]["vocab"]["éééé"] = 14;
  const Tokenizer tokenizer = load_json(json);
  EXPECT_EQ(tokenizer.encode("éééé aaaa aaaaa", kPlain).ids, (Ids{14, 9, 10, 10, 10, 0}));
}

TEST(BertNormalizer, LowercasesStripsAccentsAndKeepsOffsets) {
  const Tokenizer tokenizer = load_json(bert_json());
  // Composed and decomposed: a separate accent at the end of a token belongs to no token.
  const Encoding encoding = tokenizer.encode("CAFÉ cafe\u0301 a", kWithOffsets);
  EXPECT_EQ(encoding.ids, (Ids{6, 6, 9}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 4}, {5, 9}, {11, 12}}));
  const Encoding bytes =
      tokenizer.encode("CAFÉ a", {.add_special = false, .offsets = OffsetUnit::kBytes});
  EXPECT_EQ(bytes.offsets, (std::vector<Span>{{0, 5}, {6, 7}}));
}

TEST(BertNormalizer, SeparatesIdeographsAndRemovesControlCharacters) {
  const Tokenizer tokenizer = load_json(bert_json());
  EXPECT_EQ(tokenizer.encode("a中中a", kPlain).ids, (Ids{9, 11, 11, 9}));
  const Encoding encoding = tokenizer.encode("t\x01he\u200b,\u00a0a", kWithOffsets);
  EXPECT_EQ(encoding.ids, (Ids{8, 7, 9}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 4}, {5, 6}, {7, 8}}));
}

TEST(BertNormalizer, LowercasesTheDottedCapitalIToTwoCharacters) {
  Json json = bert_json();
  json["normalizer"]["strip_accents"] = false;
  json["model"]["vocab"]["i\u0307"] = 14;
  EXPECT_EQ(load_json(json).encode("İ", kPlain).ids, (Ids{14}));
  EXPECT_EQ(load_json(bert_json()).encode("İ", kPlain).ids, (Ids{12}));
}

TEST(WordPieceDecoder, JoinsPiecesAndCleansUp) {
  const Tokenizer tokenizer = load_json(bert_json());
  EXPECT_EQ(tokenizer.decode(Ids{1, 8, 3, 4, 7, 9, 13, 2}), "the playing, a.");
  EXPECT_EQ(tokenizer.decode(Ids{1, 8, 2}, SpecialTokens::kKeep), "[CLS] the [SEP]");
  EXPECT_EQ(tokenizer.decode(Ids{8, -1, 99999, 9}), "the a");
}

}  // namespace
}  // namespace mixtune::test
