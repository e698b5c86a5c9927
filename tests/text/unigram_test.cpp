#include <gtest/gtest.h>

#include "base/error.h"
#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

TEST(Unigram, TakesThePathWithTheLargestSum) {
  const Tokenizer tokenizer = load_json(unigram_json());
  // ▁a bc: -4.5 - 8 = -12.5; ▁a b c: -13.5; ▁ ab c: -13.5.
  EXPECT_EQ(tokenizer.encode("abc", kPlain).ids, (Ids{5, 6}));
  // ▁a: -4.5; ▁ a: -5.
  EXPECT_EQ(tokenizer.encode("a a", kPlain).ids, (Ids{5, 5}));
}

TEST(Unigram, KeepsTheFirstOfTwoEqualPaths) {
  const Tokenizer tokenizer = load_json(unigram_json());
  // ▁ ab and ▁a b both have -8.5; the last piece of the first begins earlier.
  EXPECT_EQ(tokenizer.encode("ab", kPlain).ids, (Ids{1, 4}));
}

TEST(Unigram, FusesAdjacentUnknownCharacters) {
  const Tokenizer tokenizer = load_json(unigram_json());
  const Encoding encoding = tokenizer.encode("xy axé", kWithOffsets);
  EXPECT_EQ(encoding.ids, (Ids{1, 0, 5, 0}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 1}, {0, 2}, {2, 4}, {4, 6}}));
  EXPECT_EQ(tokenizer.id_of(TokenRole::kUnk), 0);
}

TEST(Unigram, FallsBackToBytesIfAllArePresent) {
  Json json = unigram_json();
  json["model"]["byte_fallback"] = true;
  json["model"]["vocab"].push_back({"<0xC3>", -9.0});
  json["model"]["vocab"].push_back({"<0xA9>", -9.0});
  const Tokenizer tokenizer = load_json(json);
  const Encoding encoding = tokenizer.encode("é ü", kWithOffsets);
  EXPECT_EQ(encoding.ids, (Ids{1, 8, 9, 1, 0}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 1}, {0, 1}, {0, 1}, {1, 2}, {2, 3}}));
}

TEST(Unigram, ReportsUnknownTextWithoutAnUnknownToken) {
  Json json = unigram_json();
  json["model"].erase("unk_id");
  const Tokenizer tokenizer = load_json(json);
  EXPECT_EQ(tokenizer.encode("abc", kPlain).ids, (Ids{5, 6}));
  EXPECT_THROW(tokenizer.encode("ax"), UserError);
}

TEST(Unigram, DecodesWithoutThePrependedSpace) {
  const Tokenizer tokenizer = load_json(unigram_json());
  EXPECT_EQ(tokenizer.decode(Ids{5, 6, 5}), "abc a");
}

}  // namespace
}  // namespace mixtune::test
