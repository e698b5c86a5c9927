#include "support/tiny_tokenizer.h"
#include "tasks/flow_options.h"
#include "tasks/language_task.h"
#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

class Lm : public ::testing::Test {
 protected:
  std::unique_ptr<Task> open(const std::string& text, const std::string& options,
                             TokenizerStyle style = TokenizerStyle::gpt2) {
    write_text(folder_.path() / "train.txt", text);
    write_tiny_tokenizer(folder_.path() / "model", style);
    tokenizer_.emplace(Tokenizer::load(folder_.path() / "model"));
    return open_task("lm", "data: '" + folder_.path().string() + "'\n" + option_lines(options));
  }

  // The chunks as text, unsupervised tokens as capitals; $ is the end token, ^ the begin token.
  std::vector<std::string> chunks(Task& task, int64_t length) {
    std::vector<std::string> out;
    for (const EncodedExample& e :
         task.encode_training(*tokenizer_, task.train(), length).examples) {
      std::string text;
      for (size_t t = 0; t < e.ids.size(); ++t) {
        std::string one = tokenizer_->decode({&e.ids[t], 1}, SpecialTokens::kKeep);
        if (one == "<|endoftext|>" || one == "</s>") one = "$";
        if (one == "<s>") one = "^";
        bool supervised = false;
        for (const TokenSpan& s : e.supervised)
          supervised =
              supervised || (static_cast<int64_t>(t) >= s.begin && static_cast<int64_t>(t) < s.end);
        text += supervised || one == "^" ? one
                                         : std::string(1, static_cast<char>(std::toupper(one[0])));
      }
      out.push_back(text);
    }
    return out;
  }

  TemporaryFolder folder_;
  std::optional<Tokenizer> tokenizer_;
};

using Texts = std::vector<std::string>;

TEST_F(Lm, EveryTokenButTheFirstIsPredictedOnce) {
  const auto task = open("abcdefghij", "document_end: false");
  EXPECT_EQ(chunks(*task, 4), (Texts{"Abcd", "Defg", "Ghij"}));
  EXPECT_EQ(chunks(*task, 20), (Texts{"Abcdefghij"}));
  const auto llama = open("abcdefghij", "document_end: false", TokenizerStyle::llama);
  EXPECT_EQ(chunks(*llama, 5), (Texts{"^abcd", "^efgh", "^ij"}));
}

TEST_F(Lm, PromptTokensRepeatThePreviousChunk) {
  const auto task = open("abcdefghij", "{document_end: false, prompt_tokens: 2}");
  EXPECT_EQ(chunks(*task, 5), (Texts{"ABcde", "DEfgh", "GHij"}));
  EXPECT_EQ(task->encode_training(*tokenizer_, task->train(), 5).examples[1].prompt, 2);
}

TEST_F(Lm, DocumentsAreJoinedOrChunkedSeparately) {
  const std::string text = "abc\n\nde\nf\n\n\nghi\n";
  EXPECT_EQ(chunks(*open(text, "{documents: paragraph}"), 6), (Texts{"Abc$de", "E\nf$gh", "Hi$"}));
  EXPECT_EQ(chunks(*open(text, "{documents: paragraph, join: false}"), 6),
            (Texts{"Abc$", "De\nf$", "Ghi$"}));
  EXPECT_EQ(open(text, "{documents: line}")->train().examples.size(), 4u);
  EXPECT_EQ(open(text, "{documents: line}")->train().examples[3].line, 7);
  EXPECT_EQ(open(text, "{documents: file}")->train().examples.size(), 1u);
}

TEST_F(Lm, HoldsOutTheEndOfAFileOrSomeDocuments) {
  const auto one = open("aaaa\nbbbb\ncccc\ndddd\n", "{dev_share: 0.25}");
  EXPECT_EQ(one->train().examples[0].first, "aaaa\nbbbb\ncccc\n");
  const auto split = open("aaaa\nbbbb\ncccc\ndddd\neeee\n", "{dev_share: 0.5}");
  EXPECT_EQ(split->train().examples[0].first + split->evaluation_sets()[0].examples[0].first,
            "aaaa\nbbbb\ncccc\ndddd\neeee\n");
  const auto lines = open("a\nb\nc\nd\n", "{dev_share: 0.25, documents: line}");
  EXPECT_EQ(lines->train().examples.size(), 3u);
  EXPECT_EQ(lines->evaluation_sets()[0].examples.size(), 1u);
}

TEST_F(Lm, PerplexityIsComputedOverAllTokens) {
  const auto task = open("abc", "{}");
  const Predictions p{.likelihoods = {{.log_probability = -3, .tokens = 2, .best = 1},
                                      {.log_probability = -1, .tokens = 2, .best = 0}}};
  const auto metrics = task->metrics(task->train(), p);
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_EQ(metrics[0].name, "perplexity");
  EXPECT_DOUBLE_EQ(metrics[0].value, std::exp(1.0));
  EXPECT_EQ(metrics[1].name, "token_accuracy");
  EXPECT_DOUBLE_EQ(metrics[1].value, 0.25);
  EXPECT_TRUE(task->smaller_is_better());
}

TEST_F(Lm, ReportsWhatIsWrong) {
  contains(user_error([&] { open(" \n \n", "{}")->train(); }), "has no text");
  contains(user_error([&] { open("abc", "{max_length: 4, prompt_tokens: 3}"); }),
           "less than max_length - 1");
  contains(user_error([&] { open("abc", "{dev_share: 0.5}")->train(); }), "is one line");
  contains(user_error([&] { open(std::string("a\xff\n"), "{}")->train(); }), "train.txt");
  fs::remove(folder_.path() / "train.txt");
  contains(user_error([&] { open_task("lm", "data: '" + folder_.path().string() + "'")->train(); }),
           "expected train.txt or train.text");
}

}  // namespace
}  // namespace mixtune::test
