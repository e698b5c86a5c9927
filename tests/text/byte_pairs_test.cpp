#include <gtest/gtest.h>

#include <random>

#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

TEST(BytePairs, MergesThePairOfLowestRankFirst) {
  const Tokenizer tokenizer = load_json(byte_level_json());
  // a b c: "a b" (rank 0) merges before "b c" (rank 1), then "ab c" (rank 2) becomes abc, id 258.
  EXPECT_EQ(tokenizer.encode("abc", kPlain).ids, (Ids{258}));
  EXPECT_EQ(tokenizer.encode("bc abc", kPlain).ids, (Ids{257, ' ', 258}));
  EXPECT_EQ(tokenizer.encode("x ab", kPlain).ids, (Ids{'x', 259}));
}

TEST(BytePairs, MergesTheLeftmostOfEqualPairs) {
  const Tokenizer tokenizer = load_json(byte_level_json());
  EXPECT_EQ(tokenizer.encode("aaa", kPlain).ids, (Ids{260, 'a'}));
  EXPECT_EQ(tokenizer.encode("aaaaaaa", kPlain).ids, (Ids{261, 260, 'a'}));
}

TEST(BytePairs, GivesLongWordsTheSamePiecesAsShortOnes) {
  // Above 48 bytes a queue finds the next merge: runs of 4 a's test whether it keeps the order.
  const Tokenizer tokenizer = load_json(byte_level_json());
  Ids expected(100, 261);
  EXPECT_EQ(tokenizer.encode(std::string(400, 'a'), kPlain).ids, expected);
  expected.insert(expected.end(), {260, 'a'});
  EXPECT_EQ(tokenizer.encode(std::string(403, 'a'), kPlain).ids, expected);
  std::string mixed;
  Ids pieces;
  for (int i = 0; i < 40; ++i) {
    mixed += "abcx";
    pieces.insert(pieces.end(), {258, 'x'});
  }
  EXPECT_EQ(tokenizer.encode(mixed, kPlain).ids, pieces);
}

TEST(BytePairs, GivesOffsetsOfWholeCharactersToPartsOfOne) {
  const Tokenizer tokenizer = load_json(byte_level_json());
  const Encoding encoding =
      tokenizer.encode("aé", {.add_special = false, .offsets = OffsetUnit::kCodePoints});
  EXPECT_EQ(encoding.ids, (Ids{'a', 0xC3, 0xA9}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 1}, {1, 2}, {1, 2}}));
  const Encoding bytes =
      tokenizer.encode("aé", {.add_special = false, .offsets = OffsetUnit::kBytes});
  EXPECT_EQ(bytes.offsets, (std::vector<Span>{{0, 1}, {1, 3}, {1, 3}}));
}

TEST(BytePairs, ReadsInvalidUtf8AsReplacementCharacters) {
  const Tokenizer tokenizer = load_json(byte_level_json());
  EXPECT_EQ(tokenizer.encode("a\xFFz", kPlain).ids, (Ids{'a', 0xEF, 0xBF, 0xBD, 'z'}));
  // A character that ends after two of its three bytes becomes one replacement character.
  EXPECT_EQ(tokenizer.encode("\xE4\xB8", kPlain).ids, (Ids{0xEF, 0xBF, 0xBD}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("\xED\xA0\x80", kPlain).ids), "\uFFFD\uFFFD\uFFFD");
}

TEST(BytePairs, DecodesEveryValidTextUnchanged) {
  const Tokenizer tokenizer = load_json(byte_level_json());
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int n = random() % 40; n > 0; --n) {
      const char* parts[] = {"a", "b", "c", " ", "\n", "é", "中", "😀", "'s", "  ", "1"};
      text += parts[random() % std::size(parts)];
    }
    const Encoding encoding =
        tokenizer.encode(text, {.add_special = false, .offsets = OffsetUnit::kBytes});
    EXPECT_EQ(tokenizer.decode(encoding.ids), text);
    uint32_t end = 0;
    for (const Span& span : encoding.offsets) {
      EXPECT_LE(span.begin, span.end);
      EXPECT_LE(span.begin, end);  // no byte is left out
      end = span.end;
    }
    EXPECT_EQ(end, text.size());
  }
}

TEST(BytePairs, TakesWholeWordsFromTheVocabularyWithIgnoreMerges) {
  Json json = byte_level_json();
  json["model"]["vocab"]["xyz"] = 301;
  EXPECT_EQ(load_json(json).encode("xyz", kPlain).ids, (Ids{'x', 'y', 'z'}));
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(load_json(json).encode("xyz", kPlain).ids, (Ids{301}));
}

TEST(ByteLevel, PrependsASpaceWithTheOriginOfTheFirstCharacter) {
  Json json = byte_level_json();
  json["pre_tokenizer"]["add_prefix_space"] = true;
  const Tokenizer tokenizer = load_json(json);
  const Encoding encoding =
      tokenizer.encode("ab", {.add_special = false, .offsets = OffsetUnit::kCodePoints});
  EXPECT_EQ(encoding.ids, (Ids{259}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 2}}));
  EXPECT_EQ(tokenizer.encode(" ab", kPlain).ids, (Ids{259}));
}

TEST(ByteLevel, TrimsTheSpacesOfATokenFromItsOffsets) {
  Json json = byte_level_json();
  json["post_processor"]["trim_offsets"] = true;
  json["post_processor"]["add_prefix_space"] = false;
  const Encoding encoding =
      load_json(json).encode("x ab", {.add_special = false, .offsets = OffsetUnit::kCodePoints});
  EXPECT_EQ(encoding.ids, (Ids{'x', 259}));
  EXPECT_EQ(encoding.offsets, (std::vector<Span>{{0, 1}, {2, 4}}));
}

TEST(ByteLevel, DoesNotTrimTheSpaceThatItPrepended) {
  Json json = byte_level_json();
  json["post_processor"] = {
      {"type", "ByteLevel"}, {"trim_offsets", true}, {"add_prefix_space", true}};
  const Tokenizer tokenizer = load_json(json);
  const Tokenizer::Options options = {.add_special = false, .offsets = OffsetUnit::kCodePoints};
  EXPECT_EQ(tokenizer.encode(" ab ab", options).offsets, (std::vector<Span>{{0, 3}, {4, 6}}));
  // Two spaces were in the text: the second one is trimmed.
  EXPECT_EQ(tokenizer.encode("  ab", options).offsets, (std::vector<Span>{{0, 0}, {2, 4}}));
}

// As the tokenizers library 0.23.3 gives it.
TEST(ByteLevel, TheSpaceThatItPutIsNeverAPartOfTheFirstCharacter) {
  Json json = byte_level_json();
  json["post_processor"] = {{"type", "ByteLevel"}, {"trim_offsets", true}};
  json["pre_tokenizer"]["add_prefix_space"] = true;
  const auto offsets = [&](bool keeps_first, OffsetUnit unit) {
    json["post_processor"]["add_prefix_space"] = keeps_first;
    return load_json(json).encode("é ü", {.add_special = false, .offsets = unit}).offsets;
  };
  using Spans = std::vector<Span>;
  EXPECT_EQ(offsets(true, OffsetUnit::kCodePoints),
            (Spans{{0, 0}, {0, 1}, {0, 1}, {2, 2}, {2, 3}, {2, 3}}));
  EXPECT_EQ(offsets(true, OffsetUnit::kBytes),
            (Spans{{0, 0}, {0, 2}, {0, 2}, {3, 3}, {3, 5}, {3, 5}}));
  EXPECT_EQ(offsets(false, OffsetUnit::kCodePoints),
            (Spans{{1, 1}, {0, 1}, {0, 1}, {2, 2}, {2, 3}, {2, 3}}));
  EXPECT_EQ(offsets(false, OffsetUnit::kBytes),
            (Spans{{2, 2}, {0, 2}, {0, 2}, {3, 3}, {3, 5}, {3, 5}}));
}

}  // namespace
}  // namespace mixtune::test
