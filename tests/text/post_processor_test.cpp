#include <gtest/gtest.h>

#include "base/error.h"
#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

// Every letter is a token, so that lengths are visible in the text. [CLS] A [SEP] B [SEP].
Tokenizer letters() {
  Json json = byte_level_json();
  json["model"]["merges"] = Json::array();
  json["added_tokens"].push_back({{"id", 301}, {"content", "[CLS]"}, {"special", true}});
  json["added_tokens"].push_back({{"id", 302}, {"content", "[SEP]"}, {"special", true}});
  json["post_processor"] = {
      {"type", "BertProcessing"}, {"cls", {"[CLS]", 301}}, {"sep", {"[SEP]", 302}}};
  return load_json(json);
}

std::pair<int, int> lengths(const Encoding& encoding) {
  int first = 0, second = 0;
  for (size_t i = 0; i < encoding.ids.size(); ++i)
    if (!encoding.special[i]) ++(encoding.type_ids[i] == 0 ? first : second);
  return {first, second};
}

std::pair<int, int> lengths(int first, int second, int64_t most, Truncation truncation) {
  static const Tokenizer tokenizer = letters();
  return lengths(tokenizer.encode(std::string(first, 'x'), std::string(second, 'y'),
                                  {.max_length = most, .truncation = truncation}));
}

TEST(PostProcessor, PutsSpecialTokensAroundAndBetween) {
  const Tokenizer tokenizer = letters();
  const Encoding pair = tokenizer.encode("ab", "c", {.offsets = OffsetUnit::kBytes});
  EXPECT_EQ(pair.ids, (Ids{301, 'a', 'b', 302, 'c', 302}));
  EXPECT_EQ(pair.type_ids, (Ids{0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(pair.special, (std::vector<uint8_t>{1, 0, 0, 1, 0, 1}));
  EXPECT_EQ(pair.offsets, (std::vector<Span>{{0, 0}, {0, 1}, {1, 2}, {0, 0}, {0, 1}, {0, 0}}));
  EXPECT_EQ(tokenizer.encode("ab", "", {}).ids, (Ids{301, 'a', 'b', 302, 302}));
  EXPECT_EQ(tokenizer.encode("ab", "c", kPlain).ids, (Ids{'a', 'b', 'c'}));
}

TEST(PostProcessor, PutsTwoSeparatorsBetweenTheTextsOfRoberta) {
  Json json = byte_level_json();
  json["model"]["vocab"]["<s>"] = 301;
  json["model"]["vocab"]["</s>"] = 302;
  json["post_processor"] = {
      {"type", "RobertaProcessing"}, {"cls", {"<s>", 301}}, {"sep", {"</s>", 302}}};
  const Encoding pair = load_json(json).encode("a", "b", {});
  EXPECT_EQ(pair.ids, (Ids{301, 'a', 302, 302, 'b', 302}));
  EXPECT_EQ(pair.type_ids, Ids(6, 0));
}

TEST(PostProcessor, FollowsATemplate) {
  Json json = byte_level_json();
  const Json a = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json b = {{"Sequence", {{"id", "B"}, {"type_id", 2}}}};
  const Json end = {{"SpecialToken", {{"id", "E"}, {"type_id", 3}}}};
  json["post_processor"] = {{"type", "TemplateProcessing"},
                            {"single", {a, end}},
                            {"pair", {b, end, a}},
                            {"special_tokens", {{"E", {{"ids", {300, 'z'}}}}}}};
  const Tokenizer tokenizer = load_json(json);
  EXPECT_EQ(tokenizer.encode("x").ids, (Ids{'x', 300, 'z'}));
  const Encoding pair = tokenizer.encode("x", "y", {});
  EXPECT_EQ(pair.ids, (Ids{'y', 300, 'z', 'x'}));
  EXPECT_EQ(pair.type_ids, (Ids{2, 3, 3, 0}));
}

TEST(Truncation, TruncatesOnlyTheLongerTextIfThatIsSufficient) {
  using Lengths = std::pair<int, int>;
  const auto longest = Truncation::kLongestFirst;
  EXPECT_EQ(lengths(4, 4, 11, longest), (Lengths{4, 4}));  // 8 + 3 special tokens
  EXPECT_EQ(lengths(9, 2, 10, longest), (Lengths{5, 2}));
  EXPECT_EQ(lengths(2, 9, 10, longest), (Lengths{2, 5}));
  // Each gets half of the 7 tokens; the odd one goes to the longer text, or to the second of
  // equals.
  EXPECT_EQ(lengths(9, 8, 10, longest), (Lengths{4, 3}));
  EXPECT_EQ(lengths(8, 9, 10, longest), (Lengths{3, 4}));
  EXPECT_EQ(lengths(8, 8, 10, longest), (Lengths{3, 4}));
  EXPECT_EQ(lengths(8, 8, 3, longest), (Lengths{0, 0}));
}

TEST(Truncation, TruncatesOnlyTheChosenText) {
  using Lengths = std::pair<int, int>;
  EXPECT_EQ(lengths(9, 4, 10, Truncation::kOnlyFirst), (Lengths{3, 4}));
  EXPECT_EQ(lengths(4, 9, 10, Truncation::kOnlySecond), (Lengths{4, 3}));
  EXPECT_THROW(lengths(9, 2, 10, Truncation::kOnlySecond), UserError);
  EXPECT_THROW(lengths(2, 9, 10, Truncation::kOnlyFirst), UserError);
}

TEST(Truncation, ReportsWhetherItTruncated) {
  const Tokenizer tokenizer = letters();
  const Encoding whole = tokenizer.encode("abc", {.max_length = 5});
  EXPECT_FALSE(whole.truncated);
  const Encoding cut = tokenizer.encode("abcd", {.max_length = 5});
  EXPECT_EQ(cut.ids, (Ids{301, 'a', 'b', 'c', 302}));
  EXPECT_TRUE(cut.truncated);
}

TEST(Truncation, RejectsALengthWithoutRoomForSpecialTokens) {
  const Tokenizer tokenizer = letters();
  EXPECT_THROW(tokenizer.encode("a", {.max_length = 1}), UserError);
  EXPECT_THROW(tokenizer.encode("a", {.max_length = -1}), UserError);
  EXPECT_TRUE(tokenizer.encode("a", {.add_special = false, .max_length = 0}).ids.empty());
}

}  // namespace
}  // namespace mixtune::test
