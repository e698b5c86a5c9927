#include <gtest/gtest.h>

#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

TEST(CharacterPairs, MergesOverTheWholeText) {
  const Tokenizer tokenizer = load_json(character_json());
  EXPECT_EQ(tokenizer.encode("ab a").ids, (Ids{1, 10, 11}));
  EXPECT_EQ(tokenizer.encode("a", "b", {}).ids, (Ids{1, 11, 6, 8}));
}

TEST(CharacterPairs, EncodesUnknownCharactersAsTheirBytes) {
  const Tokenizer tokenizer = load_json(character_json());
  const Encoding encoding = tokenizer.encode("a\né", kWithOffsets);
  EXPECT_EQ(encoding.ids, (Ids{11, 5, 3, 4}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 1}, {1, 2}, {2, 3}, {2, 3}}));
}

TEST(CharacterPairs, MakesOneUnknownTokenOfNeighborsWithoutBytes) {
  Json json = character_json();
  EXPECT_EQ(load_json(json).encode("xxa", kPlain).ids, (Ids{6, 0, 7}));
  json["model"]["fuse_unk"] = false;
  EXPECT_EQ(load_json(json).encode("xxa", kPlain).ids, (Ids{6, 0, 0, 7}));
  json["model"].erase("unk_token");  // x has no token then, and ▁ and a become adjacent
  EXPECT_EQ(load_json(json).encode("xxa", kPlain).ids, (Ids{11}));
}

// As in the reference library, an unknown token is appended only at the next known character.
TEST(CharacterPairs, PutsBytesBeforeAPendingUnknownToken) {
  const Tokenizer tokenizer = load_json(character_json());
  EXPECT_EQ(tokenizer.encode("x\nxa", kPlain).ids, (Ids{6, 5, 0, 7}));
}

TEST(CharacterPairs, TakesAWholeWordBeforeAnyMergeIfRequested) {
  Json json = character_json();
  json["model"]["vocab"]["▁ba"] = 12;
  EXPECT_EQ(load_json(json).encode("ba", kPlain).ids, (Ids{6, 8, 7}));
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(load_json(json).encode("ba", kPlain).ids, (Ids{12}));
}

TEST(CharacterPairs, JoinsBytesAndRemovesTheFirstSpace) {
  const Tokenizer tokenizer = load_json(character_json());
  EXPECT_EQ(tokenizer.decode(Ids{1, 11, 10, 5, 3, 4}), "a ab\né");
  EXPECT_EQ(tokenizer.decode(Ids{1, 11}, SpecialTokens::kKeep), "<s> a");
  EXPECT_EQ(tokenizer.decode(Ids{11, 4, 3}), "a\uFFFD\uFFFD");  // the bytes in the wrong order
}

TEST(Metaspace, PrependsASpaceAccordingToItsScheme) {
  Json json = character_json();
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "▁"}, {"split", false}};
  Json& metaspace = json["pre_tokenizer"];
  EXPECT_EQ(load_json(json).encode("ab<s>ab", kPlain).ids, (Ids{10, 1, 10}));
  metaspace["prepend_scheme"] = "always";
  EXPECT_EQ(load_json(json).encode("ab<s>ab", kPlain).ids, (Ids{10, 1, 10}));
  metaspace["prepend_scheme"] = "first";
  EXPECT_EQ(load_json(json).encode("ab<s>ab", kPlain).ids, (Ids{10, 1, 9}));
  metaspace["prepend_scheme"] = "never";
  EXPECT_EQ(load_json(json).encode("ab<s>ab a", kPlain).ids, (Ids{9, 1, 9, 11}));
  metaspace.erase("prepend_scheme");
  metaspace["add_prefix_space"] = true;
  EXPECT_EQ(load_json(json).encode(" ab", kPlain).ids, (Ids{10}));
  metaspace["add_prefix_space"] = false;
  EXPECT_EQ(load_json(json).encode("ab", kPlain).ids, (Ids{9}));
}

TEST(Metaspace, SplitsBeforeEachSpace) {
  Json json = unigram_json();
  json["model"]["vocab"].push_back({"▁▁", 0.0});  // never found: each space begins a word
  const Tokenizer tokenizer = load_json(json);
  const Encoding encoding = tokenizer.encode("a  ▁c ", kWithOffsets);
  EXPECT_EQ(encoding.ids, (Ids{5, 1, 1, 1, 7, 1}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}}));
}

}  // namespace
}  // namespace mixtune::test
