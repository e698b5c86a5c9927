// Conversations as text: a named template says how each turn is written and which token ends an
// answer. What the assistant says is supervised, up to and with that token.
#pragma once

#include <string>
#include <vector>

#include "tasks/task.h"

namespace mixtune {

enum class Speaker { system, user, assistant };

struct Turn {
  Speaker speaker;
  std::string text;
};

struct ChatTemplate {
  std::string name;
  std::string end;  // the token after an answer; empty: the tokenizer's end-of-text token
  std::vector<TextPart> (*render)(const std::vector<Turn>& turns);
};

// plain, headings, chatml, llama2, llama3, gemma.
const std::vector<std::string>& chat_template_names();
const ChatTemplate& chat_template(const std::string& name);

// What is wrong with a conversation, in words; empty where nothing is: a system turn may only come
// first, then user and assistant take turns, and the assistant has the last word unless `open`.
enum class ChatEnd { answered, open };
std::string chat_problem(const std::vector<Turn>& turns, ChatEnd end);

// The turns as parts, joined where neighbours are alike. An open conversation ends with the header
// of the answer to come.
std::vector<TextPart> render_chat(const ChatTemplate& chat, const std::vector<Turn>& turns);

}  // namespace mixtune
