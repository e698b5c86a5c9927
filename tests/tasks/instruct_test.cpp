#include "support/tiny_tokenizer.h"
#include "tasks/flow_options.h"
#include "tasks/open_task.h"
#include "tasks/token_text.h"

namespace mixtune::test {
namespace {

class Instruct : public ::testing::Test {
 protected:
  std::unique_ptr<Task> open(const std::string& text, const std::string& options = "{}",
                             const std::string& file = "train.jsonl") {
    write_text(folder_ / file, text);
    return open_task("instruct",
                     "data: '" + (folder_ / file).string() + "'\n" + option_lines(options));
  }

  // Supervised text is in brackets; $: the end token follows.
  static std::string shown(const Example& example) {
    std::string out;
    for (const TextPart& part : example.parts) {
      const std::string text = part.text + (part.ends ? "$" : "");
      out += part.is_supervised ? "[" + text + "]" : text;
    }
    return out;
  }
  std::string first(const std::string& text, const std::string& options = "{}",
                    const std::string& file = "train.jsonl") {
    return shown(open(text, options, file)->train().examples.at(0));
  }
  std::string error(const std::string& text, const std::string& options = "{}",
                    const std::string& file = "train.jsonl") {
    return user_error([&] { open(text, options, file)->train(); });
  }

  TemporaryFolder folder_;
};

const std::string kChat =
    R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"},
)"
    R"( {"role": "user", "content": "R"}, {"role": "assistant", "content": "B"}]})";

std::string on_one_line(std::string text) {
  std::erase(text, '\n');
  return text;
}

TEST_F(Instruct, ReadsPromptsAndCompletionsUnchanged) {
  EXPECT_EQ(first(R"({"prompt": "Say it: ", "completion": "yes"})"), "Say it: [yes$]");
}

TEST_F(Instruct, ReadsAlpacasFieldsThroughATemplate) {
  EXPECT_EQ(
      first(R"({"instruction": "Add.", "input": "1 2", "output": "3"})", "{template: headings}"),
      "### Instruction:\nAdd.\n\n1 2\n\n### Response:\n[3$]");
  EXPECT_EQ(first(R"([{"instruction": "Add.", "input": "", "output": "3", "answer": "3"}])", "{}",
                  "train.json"),
            "User: Add.\nAssistant:[ 3$]");
}

TEST_F(Instruct, ReadsChatsAndSupervisesAllAnswersOrTheLast) {
  EXPECT_EQ(first(on_one_line(kChat)), "User: Q\nAssistant:[ A$]\nUser: R\nAssistant:[ B$]");
  EXPECT_EQ(first(on_one_line(kChat), "{turns: last, system: Be kind.}"),
            "Be kind.\nUser: Q\nAssistant: A$\nUser: R\nAssistant:[ B$]");
}

TEST_F(Instruct, ExampleGroupsReachTheSequences) {
  write_tiny_tokenizer(folder_ / "model", TokenizerStyle::llama);
  const Tokenizer tokenizer = Tokenizer::load(folder_ / "model");
  const std::string text = R"({"prompt": "a", "completion": "b", "knows": true})"
                           "\n"
                           R"({"prompt": "c", "completion": "d", "knows": null})"
                           "\n"
                           R"({"prompt": "e", "completion": "f", "knows": false})";
  const auto groups = [&](const std::string& options) {
    const auto task = open(text, options);
    std::vector<int64_t> out;
    for (const EncodedExample& e : task->encode_training(tokenizer, task->train(), 200).examples)
      out.push_back(e.example_group);
    return out;
  };
  EXPECT_EQ(groups("{example_group: knows}"),
            (std::vector<int64_t>{1, -1, 0}));  // false comes before true
  EXPECT_EQ(groups("{}"), std::vector<int64_t>(3, -1));
  contains(error(text, "{example_group: nows}"),
           "train.jsonl:1: has completion, knows, prompt; expected");
  contains(error(R"({"prompt": "a", "completion": "b", "k": [1]})", "{example_group: k}"),
           "has array in 'k'; expected a string");
}

TEST_F(Instruct, EveryExampleEndsWithASupervisedEndToken) {
  write_tiny_tokenizer(folder_ / "model", TokenizerStyle::llama);
  const Tokenizer tokenizer = Tokenizer::load(folder_ / "model");
  for (const std::string options : {"{}", "{template: chatml}", "{loss: all}"}) {
    const auto task = open(on_one_line(kChat), options);
    const auto encoded = task->encode_training(tokenizer, task->train(), 200).examples.at(0);
    EXPECT_EQ(encoded.ids.front(), 0);
    EXPECT_NE(encoded.ids.at(1), 0);
    EXPECT_EQ(encoded.ids.back(), *task->end_token(tokenizer)) << options;
    EXPECT_EQ(encoded.supervised.back().end, static_cast<int64_t>(encoded.ids.size()));
  }
  contains(
      user_error([&] { open(on_one_line(kChat), "{template: llama3}")->end_token(tokenizer); }),
      "task.template=llama3: the tokenizer has no token '<|eot_id|>'");
}

TEST_F(Instruct, NamesThePlaceOfAnError) {
  const std::string good = R"({"prompt": "a", "completion": "b"})"
                           "\n";
  contains(error(good + R"({"instruction": "a", "output": "b"})"),
           "train.jsonl:2: has instruction, output; expected prompt and completion");
  contains(error(good + R"({"prompt": "a"})"), "train.jsonl:2: 'completion' is missing");
  contains(error(good + R"({"prompt": "a", "completion": " "})"),
           "train.jsonl:2: 'completion' is empty");
  contains(error(good + R"({"prompt": 3, "completion": "b"})"), "'prompt' is number");
  contains(error(R"({"question": "a"})"), "has question; expected prompt and completion, or");
  contains(error("[3]", "{}", "train.json"), "train.json example 0: is number");
  contains(error("{}", "{}", "train.json"), "is object; expected a list");
  contains(error("[]", "{}", "train.json"), "has no examples");
  contains(error(R"({"messages": []})"), "without an entry");
  contains(error(R"({"messages": [{"role": "user", "content": "a"}]})"),
           "the last message is not from the assistant");
  contains(error(R"({"messages": [{"role": "tool", "content": "a"}]})"), "has the role 'tool'");
  contains(error(R"({"messages": [3]})"), "message 1: is number");
  contains(error(R"({"messages": "a"})"), "'messages' is string");
  contains(error(good, "{fields: chat}"), "expected messages");
  contains(error("not json"), "train.jsonl:1");
}

}  // namespace
}  // namespace mixtune::test
