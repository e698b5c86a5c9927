#include "text/train_bpe.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/golden.h"
#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;

TrainedBpe trained(const std::string& text, const BpeTraining& training) {
  WordCounts words;
  words.add(text, "text");
  return train_bpe(words, training);
}

Merges merges_of(const TrainedBpe& trained) {
  Merges out;
  for (const auto& [left, right] : trained.merges)
    out.emplace_back(trained.tokens[left], trained.tokens[right]);
  return out;
}

// Words: "ab" once, " ab" twice, a line break. Pairs: a b three times, a space and a twice.
TEST(TrainBpe, MergesTheMostFrequentPairFirst) {
  const TrainedBpe found =
      trained("ab ab ab\n", {.vocab_size = 300, .min_frequency = 2, .special_tokens = {}});
  EXPECT_EQ(merges_of(found), (Merges{{"a", "b"}, {"Ġ", "ab"}}));
  EXPECT_EQ(found.tokens.size(), 258u);
  EXPECT_EQ(found.tokens[256], "ab");
}

TEST(TrainBpe, StopsAtTheSizeAndAtTheFrequency) {
  const std::string text = "ab ab ab\n";
  EXPECT_EQ(
      trained(text, {.vocab_size = 300, .min_frequency = 3, .special_tokens = {}}).merges.size(),
      1u);
  EXPECT_EQ(
      trained(text, {.vocab_size = 300, .min_frequency = 4, .special_tokens = {}}).merges.size(),
      0u);
  EXPECT_EQ(
      trained(text, {.vocab_size = 258, .min_frequency = 1, .special_tokens = {"<s>"}}).tokens, [] {
        auto tokens = trained("", {.vocab_size = 257, .special_tokens = {"<s>"}}).tokens;
        tokens.push_back("ab");
        return tokens;
      }());
}

// All pairs occur twice: c d merges before the pair with the space, whose letter Ġ has a large id.
TEST(TrainBpe, MergesTheSmallerIdsOfEquallyFrequentPairs) {
  const TrainedBpe found =
      trained("ab cd\nab cd\n", {.vocab_size = 258, .min_frequency = 2, .special_tokens = {}});
  EXPECT_EQ(merges_of(found), (Merges{{"a", "b"}, {"c", "d"}}));
}

TEST(TrainBpe, ReportsWhatIsWrong) {
  WordCounts words;
  EXPECT_THROW(words.add("fine\nbroken \xC3 here\n", "x.txt"), UserError);
  EXPECT_THROW(train_bpe(words, {.vocab_size = 255, .special_tokens = {}}), UserError);
  EXPECT_THROW(train_bpe(words, {.vocab_size = 257, .special_tokens = {"a", "<s>", "<t>"}}),
               UserError);
  EXPECT_THROW(train_bpe(words, {.special_tokens = {""}}), UserError);
  EXPECT_THROW(train_bpe(words, {.special_tokens = {"\xFF"}}), UserError);
}

TEST(TrainBpe, PrintsATokenizerThatLoads) {
  const BpeTraining training{
      .vocab_size = 300, .min_frequency = 2, .special_tokens = {"<|endoftext|>"}};
  const std::string text = "the cat, the dog\nthe end  \n";
  const TemporaryFolder folder;
  write_text(folder / "tokenizer.json", tokenizer_json(trained(text, training), training));
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.encode("<|endoftext|>").ids, (Ids{0}));
  EXPECT_EQ(tokenizer.id_of(TokenRole::kEos), 0);
  const Ids ids = tokenizer.encode(text).ids;
  EXPECT_LT(ids.size(), text.size());
  EXPECT_EQ(tokenizer.decode(ids), text);
}

// The same ids and merges as the reference library from the same text.
void check_bpe_training(const GoldenCase& golden, GoldenTally& tally) {
  long long values = 0;
  for (const Json& one : golden.json.at("trainings")) {
    const TrainedBpe found =
        trained(golden.json.at("text"), {.vocab_size = one.at("vocab_size"),
                                         .min_frequency = one.at("min_frequency"),
                                         .special_tokens = one.at("special_tokens")});
    EXPECT_EQ(found.tokens, one.at("vocab").get<std::vector<std::string>>());
    EXPECT_EQ(merges_of(found), one.at("merges").get<Merges>());
    values += static_cast<long long>(found.tokens.size() + found.merges.size());
  }
  tally.checked(golden, values);
}

MIXTUNE_GOLDEN_CHECKER(bpe_training, check_bpe_training);

}  // namespace
}  // namespace mixtune::test
