#include "support/tiny_tokenizer.h"
#include "tasks/open_task.h"
#include "tasks/token_text.h"

namespace mixtune::test {
namespace {

std::string shown(const Example& example) {
  std::string out;
  for (const TextPart& part : example.parts) {
    const std::string text = part.text + (part.ends ? "$" : "");
    out += part.is_supervised ? "[" + text + "]" : text;
  }
  return out;
}

class E2e : public ::testing::Test {
 protected:
  std::unique_ptr<Task> open(const std::string& options = "") {
    return open_task("e2e", "data: '" + folder_.path().string() + "'\n" + options);
  }
  TemporaryFolder folder_;
};

TEST_F(E2e, AnExampleIsFactsEndTokenTextEndToken) {
  write_text(folder_ / "train.txt", "name : A | food : Thai||A serves Thai . \n");
  EXPECT_EQ(shown(open()->train().examples[0]), "name : A | food : Thai$[ A serves Thai .$]");
  const auto plain = open("format: plain");
  EXPECT_EQ(shown(plain->train().examples[0]),
            "Facts: name : A | food : Thai\nText:[ A serves Thai .$]");
  write_tiny_tokenizer(folder_ / "model", TokenizerStyle::gpt2);
  const Tokenizer tokenizer = Tokenizer::load(folder_ / "model");
  const auto task = open();
  const EncodedExample encoded =
      task->encode_training(tokenizer, task->train(), 100).examples.at(0);
  EXPECT_EQ(encoded.ids.at(22), 1);  // after 22 characters of facts
  EXPECT_EQ(encoded.prompt, 23);
  EXPECT_EQ(encoded.ids.back(), *task->end_token(tokenizer));
  EXPECT_EQ(encoded.supervised_tokens(), 17);  // 16 characters and the end
}

TEST_F(E2e, FactsOfTheCsvAreFormattedAsInThePairsFiles) {
  write_text(folder_ / "trainset.csv",
             "mr,ref\n\"name[The Eagle], eatType[pub], priceRange[cheap], familyFriendly[no]\","
             "\"It is cheap.\"\n");
  EXPECT_EQ(
      shown(open()->train().examples[0]),
      "name : The Eagle | Type : pub | price : cheap | family friendly : no$[ It is cheap.$]");
}

TEST_F(E2e, GeneratesOncePerMeaning) {
  write_text(folder_ / "train.txt", "a||x\nb||y\na||z\n");
  write_text(folder_ / "valid.txt", "a||x\nb||y\na||z\n");
  const auto task = open();
  EXPECT_EQ(task->train().examples.size(), 3u);
  const auto prompts = task->generation_prompts(task->evaluation_sets()[0]);
  ASSERT_EQ(prompts.size(), 2u);
  EXPECT_EQ(shown(prompts[0].prompt), "a$");
  EXPECT_EQ(prompts[0].references, (std::vector<std::string>{"x", "z"}));
  EXPECT_EQ(prompts[1].references, std::vector<std::string>{"y"});
}

TEST_F(E2e, NamesThePlaceOfAnError) {
  write_text(folder_ / "train.txt", "a||x\nno text\n");
  contains(user_error([&] { open()->train(); }), "train.txt:2");
  write_text(folder_ / "train.txt", "a||x\nb|| \n");
  contains(user_error([&] { open()->train(); }), "train.txt:2");
  fs::remove(folder_ / "train.txt");
  contains(user_error([&] { open()->train(); }), "expected train.txt or trainset.csv");
}

TEST_F(E2e, ReadsTheDataOfThisProject) {
  const fs::path data = data_dir() / "e2e";
  if (!fs::exists(data)) GTEST_SKIP() << "no " << data;
  const auto task = open_on("e2e", data);
  EXPECT_EQ(task->train().examples.size(), 42061u);
  EXPECT_EQ(task->evaluation_sets().at(0).examples.size(), 4672u);
  EXPECT_EQ(task->test_sets().at(0).examples.size(), 4693u);
  // 630 distinct meanings, as in the challenge's test set.
  EXPECT_EQ(task->generation_prompts(task->test_sets()[0]).size(), 630u);
}

}  // namespace
}  // namespace mixtune::test
