#include "tasks/chat.h"

#include <gtest/gtest.h>

namespace mixtune::test {
namespace {

const std::vector<Turn> kTalk = {{Speaker::system, "S"},
                                 {Speaker::user, "Q"},
                                 {Speaker::assistant, "A"},
                                 {Speaker::user, "R"},
                                 {Speaker::assistant, "B"}};

// Supervised text in brackets, $ for an end token and ^ for a begin token.
std::string rendered(const std::string& name, const std::vector<Turn>& turns = kTalk) {
  std::string out;
  for (const TextPart& part : render_chat(chat_template(name), turns)) {
    const std::string text = (part.begins ? "^" : "") + part.text + (part.ends ? "$" : "");
    out += part.is_supervised ? "[" + text + "]" : text;
  }
  return out;
}

TEST(Chat, EveryTemplateIsWrittenOut) {
  EXPECT_EQ(rendered("plain"), "S\nUser: Q\nAssistant:[ A$]\nUser: R\nAssistant:[ B$]");
  EXPECT_EQ(rendered("headings"),
            "S\n\n### Instruction:\nQ\n\n### Response:\n[A$]\n\n### Instruction:\nR\n\n"
            "### Response:\n[B$]");
  EXPECT_EQ(rendered("chatml"),
            "<|im_start|>system\nS$\n<|im_start|>user\nQ$\n<|im_start|>assistant\n[A$]"
            "\n<|im_start|>user\nR$\n<|im_start|>assistant\n[B$]");
  EXPECT_EQ(rendered("llama2"),
            "[INST] <<SYS>>\nS\n<</SYS>>\n\nQ [/INST][ A $]^[INST] R [/INST][ B $]");
  EXPECT_EQ(rendered("llama3"),
            "<|start_header_id|>system<|end_header_id|>\n\nS$"
            "<|start_header_id|>user<|end_header_id|>\n\nQ$"
            "<|start_header_id|>assistant<|end_header_id|>\n\n[A$]"
            "<|start_header_id|>user<|end_header_id|>\n\nR$"
            "<|start_header_id|>assistant<|end_header_id|>\n\n[B$]");
  EXPECT_EQ(rendered("gemma"),
            "<start_of_turn>user\nS\n\nQ$\n<start_of_turn>model\n[A$]"
            "\n<start_of_turn>user\nR$\n<start_of_turn>model\n[B$]");
}

TEST(Chat, AnOpenConversationEndsWithTheHeaderOfTheAnswer) {
  const std::vector<Turn> open = {{Speaker::user, "Q"}};
  EXPECT_EQ(rendered("plain", open), "User: Q\nAssistant:");
  EXPECT_EQ(rendered("chatml", open), "<|im_start|>user\nQ$\n<|im_start|>assistant\n");
  EXPECT_EQ(rendered("llama2", open), "[INST] Q [/INST]");
}

TEST(Chat, TurnsMustAlternate) {
  EXPECT_EQ(chat_problem(kTalk, ChatEnd::answered), "");
  EXPECT_EQ(chat_problem({{Speaker::user, "a"}, {Speaker::user, "b"}}, ChatEnd::open),
            "message 2 has the role user; expected assistant");
  EXPECT_EQ(chat_problem({{Speaker::user, "a"}}, ChatEnd::answered),
            "the last message is not from the assistant");
  EXPECT_EQ(chat_problem({{Speaker::user, "a"}, {Speaker::assistant, ""}}, ChatEnd::answered),
            "message 2, an assistant message, is empty");
  EXPECT_EQ(chat_problem({{Speaker::system, "a"}}, ChatEnd::open),
            "there is no message from the user");
  EXPECT_EQ(chat_problem({{Speaker::user, "a"}, {Speaker::system, "b"}}, ChatEnd::open),
            "message 2 has the role system; expected assistant");
}

}  // namespace
}  // namespace mixtune::test
