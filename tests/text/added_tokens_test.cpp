#include <gtest/gtest.h>

#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

Tokenizer with_token(Json token, Json base = byte_level_json()) {
  base["added_tokens"].push_back(std::move(token));
  return load_json(base);
}

TEST(AddedTokens, AreExtractedBeforeAllOtherSteps) {
  const Tokenizer tokenizer = load_json(byte_level_json());
  const Encoding encoding = tokenizer.encode("ab<end>ab", kWithOffsets);
  EXPECT_EQ(encoding.ids, (Ids{256, 300, 256}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 2}, {2, 7}, {7, 9}}));
  EXPECT_EQ(tokenizer.encode("<END>", kPlain).ids, (Ids{'<', 'E', 'N', 'D', '>'}));
}

TEST(AddedTokens, TakeTheLongestAtTheLeftmostPlace) {
  const Tokenizer tokenizer =
      with_token({{"id", 301}, {"content", "<end>x"}, {"normalized", false}});
  EXPECT_EQ(tokenizer.encode("<end>xc<end>a", kPlain).ids, (Ids{301, 'c', 300, 'a'}));
}

TEST(AddedTokens, IncludeAdjacentWhiteSpaceIfRequested) {
  const Tokenizer tokenizer =
      with_token({{"id", 301}, {"content", "<m>"}, {"lstrip", true}, {"rstrip", true}});
  const Encoding encoding = tokenizer.encode("a \t<m>\u00a0 b", kWithOffsets);
  EXPECT_EQ(encoding.ids, (Ids{'a', 301, 'b'}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 1}, {1, 8}, {8, 9}}));
}

TEST(AddedTokens, RequireWordBoundariesIfTheyAreSingleWords) {
  const Tokenizer tokenizer = with_token({{"id", 301}, {"content", "yz"}, {"single_word", true}});
  EXPECT_EQ(tokenizer.encode("yz.yz", kPlain).ids, (Ids{301, '.', 301}));
  EXPECT_EQ(tokenizer.encode("yzz", kPlain).ids, (Ids{'y', 'z', 'z'}));
  EXPECT_EQ(tokenizer.encode("_yz", kPlain).ids, (Ids{'_', 'y', 'z'}));
}

TEST(AddedTokens, AreFoundInNormalizedTextIfTheyAreNormalized) {
  const Tokenizer normalized =
      with_token({{"id", 14}, {"content", "Café X"}, {"normalized", true}}, bert_json());
  EXPECT_EQ(normalized.encode("the CAFE x", kPlain).ids, (Ids{8, 14}));
  EXPECT_EQ(normalized.token_of(14), "Café X");
  EXPECT_EQ(normalized.decode(Ids{8, 14}), "the cafe x");
  const Tokenizer exact =
      with_token({{"id", 14}, {"content", "Café X"}, {"normalized", false}}, bert_json());
  EXPECT_EQ(exact.encode("the CAFE, Café X", kPlain).ids, (Ids{8, 6, 7, 14}));
}

TEST(AddedTokens, AreOmittedFromDecodedTextOnlyIfTheyAreSpecial) {
  const Tokenizer tokenizer = with_token({{"id", 301}, {"content", "<m>"}, {"special", false}});
  EXPECT_EQ(tokenizer.decode(Ids{'a', 300, 301}), "a<m>");
  EXPECT_EQ(tokenizer.decode(Ids{'a', 300, 301}, SpecialTokens::kKeep), "a<end><m>");
  EXPECT_TRUE(tokenizer.is_special(300));
  EXPECT_FALSE(tokenizer.is_special(301));
  EXPECT_FALSE(tokenizer.is_special('a'));
}

}  // namespace
}  // namespace mixtune::test
