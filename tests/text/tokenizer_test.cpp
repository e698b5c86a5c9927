#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <thread>

#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

TEST(Tokenizer, FindsItsTokens) {
  const Tokenizer tokenizer = load_json(bert_json());
  EXPECT_EQ(tokenizer.vocab_size(), 14);
  EXPECT_EQ(tokenizer.id_of("##ing"), 4);
  EXPECT_EQ(tokenizer.id_of("absent"), std::nullopt);
  EXPECT_EQ(tokenizer.token_of(11), "中");
  EXPECT_EQ(tokenizer.token_of(-1), "");
  EXPECT_EQ(tokenizer.token_of(14), "");
  EXPECT_EQ(tokenizer.id_of(TokenRole::kCls), 1);
  EXPECT_EQ(tokenizer.id_of(TokenRole::kUnk), 0);
  EXPECT_EQ(tokenizer.id_of(TokenRole::kPad), std::nullopt);
}

TEST(Tokenizer, ReplacesTheTruncationAndPaddingOfTheFile) {
  Json json = bert_json();
  json["truncation"] = {{"max_length", 3}, {"strategy", "LongestFirst"}, {"stride", 0}};
  json["padding"] = {{"strategy", {{"Fixed", 8}}}, {"pad_id", 0}};
  EXPECT_EQ(load_json(json).encode("the the the").ids, (Ids{1, 8, 8, 8, 2}));
}

TEST(Tokenizer, ReturnsOffsetsOnlyOnRequest) {
  EXPECT_TRUE(load_json(bert_json()).encode("the").offsets.empty());
}

TEST(Tokenizer, ReadsTheEmptyText) {
  const Tokenizer tokenizer = load_json(bert_json());
  EXPECT_EQ(tokenizer.encode("").ids, (Ids{1, 2}));
  EXPECT_EQ(tokenizer.encode(" \n\t").ids, (Ids{1, 2}));
  EXPECT_EQ(tokenizer.decode({}), "");
}

TEST(Tokenizer, EncodesInManyThreadsAtOnce) {
  const Tokenizer tokenizer = load_json(byte_level_json());
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i)
    texts.push_back(std::string(i % 7, 'a') + " abc" + std::to_string(i * i) + " ab\u00e9");
  std::vector<Ids> expected;
  for (const auto& text : texts) expected.push_back(tokenizer.encode(text).ids);
  std::vector<std::thread> threads;
  std::vector<int> different(4, 0);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 20; ++round)
        for (size_t i = 0; i < texts.size(); ++i)
          different[t] += tokenizer.encode(texts[i]).ids != expected[i];
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(different, std::vector<int>(4, 0));
}

TEST(Tokenizer, GivesTheSameResultAfterTheCacheIsCleared) {
  // More distinct words than fit in the cache.
  const Tokenizer tokenizer = load_json(byte_level_json());
  std::string text;
  for (int i = 0; i < 80000; ++i) text += std::to_string(i) + " ab ";
  const Encoding encoding = tokenizer.encode(text);
  EXPECT_EQ(tokenizer.decode(encoding.ids), text);
  EXPECT_EQ(tokenizer.encode(text).ids, encoding.ids);
}

}  // namespace
}  // namespace mixtune::test
