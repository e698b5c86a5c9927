// Conversations as text: a named template defines how each turn is formatted and which token ends
// an answer. The assistant's messages are supervised, up to and including that token.
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

// Describes what is wrong with a conversation; empty if it is valid. A system turn may only come
// first, then user and assistant alternate, and the assistant has the last turn unless `end` is
// `open`.
enum class ChatEnd { answered, open };
std::string chat_problem(const std::vector<Turn>& turns, ChatEnd end);

// The turns as parts; adjacent parts are merged if both are supervised or neither is. An open
// conversation ends with the header of the next answer.
std::vector<TextPart> render_chat(const ChatTemplate& chat, const std::vector<Turn>& turns);

}  // namespace mixtune
