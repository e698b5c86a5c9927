#include "tasks/encode.h"

#include <cmath>

#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

using Ids = std::vector<int32_t>;

// A WordPiece vocabulary in which the line number is the id.
class Encode : public ::testing::Test {
 protected:
  Encode() {
    write_text(folder_ / "vocab.txt",
               "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ntea\nis\nhot\nwhat\ncold\n");
  }
  Tokenizer tokenizer() const { return Tokenizer::load(folder_.path()); }

  TemporaryFolder folder_;
};

TEST_F(Encode, ASingleTextIsEnclosedInSpecialTokens) {
  const EncodedExample encoded =
      encode_example(tokenizer(), {.id = 4, .first = "Tea is hot", .label = 1}, {.max_length = 16});
  EXPECT_EQ(encoded.ids, (Ids{2, 5, 6, 7, 3}));
  EXPECT_EQ(encoded.type_ids, (Ids{0, 0, 0, 0, 0}));
  EXPECT_EQ(encoded.id, 4);
  EXPECT_EQ(encoded.label, 1);
  EXPECT_FALSE(encoded.truncated);
}

TEST_F(Encode, ThePartsOfAPairHaveTheirTypes) {
  const EncodedExample encoded = encode_example(
      tokenizer(), {.first = "what is hot", .second = "tea", .score = 2.5}, {.max_length = 16});
  EXPECT_EQ(encoded.ids, (Ids{2, 8, 6, 7, 3, 5, 3}));
  EXPECT_EQ(encoded.type_ids, (Ids{0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(encoded.score, 2.5);
}

TEST_F(Encode, TheLongerOrOnlyTheSecondTextOfAPairIsTruncated) {
  const Example pair{.first = "what is tea is hot", .second = "tea is"};
  const EncodedExample longest = encode_example(tokenizer(), pair, {.max_length = 8});
  EXPECT_EQ(longest.ids, (Ids{2, 8, 6, 5, 3, 5, 6, 3}));
  EXPECT_TRUE(longest.truncated);
  const EncodedExample second =
      encode_example(tokenizer(), pair, {.max_length = 9, .truncation = Truncation::kOnlySecond});
  EXPECT_EQ(second.ids, (Ids{2, 8, 6, 5, 6, 7, 3, 5, 3}));
}

TEST_F(Encode, ASingleTextIsTruncatedAtItsEndWithAnyStrategy) {
  const EncodedExample encoded =
      encode_example(tokenizer(), {.first = "tea is hot"},
                     {.max_length = 4, .truncation = Truncation::kOnlySecond});
  EXPECT_EQ(encoded.ids, (Ids{2, 5, 6, 3}));
  EXPECT_TRUE(encoded.truncated);
}

TEST_F(Encode, AnExampleThatCannotBeTruncatedIsNamed) {
  DataSet set{.name = "train", .source = "train.tsv"};
  set.examples.push_back({.id = 12, .first = "what is hot what is cold", .second = "tea"});
  const std::string error = user_error([&] {
    encode_set(tokenizer(), set, {.max_length = 6, .truncation = Truncation::kOnlySecond});
  });
  contains(error, "train.tsv example 12");
}

TEST_F(Encode, LengthsAreSummarized) {
  DataSet set{.name = "train"};
  set.examples.push_back({.first = "tea"});
  set.examples.push_back({.first = "tea is hot what is cold"});
  const LengthSummary summary = summarize_lengths(encode_set(tokenizer(), set, {.max_length = 5}));
  EXPECT_EQ(summary.examples, 2);
  EXPECT_EQ(summary.tokens, 8);
  EXPECT_EQ(summary.longest, 5);
  EXPECT_EQ(summary.truncated, 1);
}

TEST_F(Encode, OptionsComeFromTheTask) {
  const auto task = open_task("rte", "{max_length: 40, truncation: only_second}");
  EXPECT_EQ(encode_options(task->options()).max_length, 40);
  EXPECT_EQ(encode_options(task->options()).truncation, Truncation::kOnlySecond);
}

}  // namespace
}  // namespace mixtune::test
