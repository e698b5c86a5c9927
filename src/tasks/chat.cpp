#include "tasks/chat.h"

#include <algorithm>

namespace mixtune {
namespace {

TextPart template_text(std::string text) {
  return {.text = std::move(text)};
}

TextPart answer(std::string text) {
  return {.text = std::move(text), .is_supervised = true, .ends = true};
}

std::string role(Speaker speaker) {
  return speaker == Speaker::system ? "system" : speaker == Speaker::user ? "user" : "assistant";
}

// Templates in which the turns of every role have a header and an end token.
struct Frame {
  std::string before = {}, after_role = {}, between = {}, assistant = "assistant";
};

std::vector<TextPart> framed(const std::vector<Turn>& turns, const Frame& frame) {
  std::vector<TextPart> out;
  const auto header = [&](Speaker speaker) {
    const bool is_answer = speaker == Speaker::assistant;
    return frame.before + (is_answer ? frame.assistant : role(speaker)) + frame.after_role;
  };
  for (size_t i = 0; i < turns.size(); ++i) {
    out.push_back(template_text((i > 0 ? frame.between : "") + header(turns[i].speaker)));
    out.push_back(answer(turns[i].text));
    out.back().is_supervised = turns[i].speaker == Speaker::assistant;
  }
  if (turns.back().speaker != Speaker::assistant)
    out.push_back(template_text(frame.between + header(Speaker::assistant)));
  return out;
}

std::vector<TextPart> chatml(const std::vector<Turn>& turns) {
  return framed(turns, {.before = "<|im_start|>", .after_role = "\n", .between = "\n"});
}

std::vector<TextPart> llama3(const std::vector<Turn>& turns) {
  return framed(turns, {.before = "<|start_header_id|>", .after_role = "<|end_header_id|>\n\n"});
}

// For templates without a system turn: puts the system text before the first question.
std::vector<Turn> system_into_user(std::vector<Turn> turns, const std::string& before,
                                   const std::string& after) {
  if (turns.front().speaker != Speaker::system || turns.size() < 2) return turns;
  turns[1].text = before + turns[0].text + after + turns[1].text;
  turns.erase(turns.begin());
  return turns;
}

std::vector<TextPart> gemma(const std::vector<Turn>& turns) {
  return framed(
      system_into_user(turns, "", "\n\n"),
      {.before = "<start_of_turn>", .after_role = "\n", .between = "\n", .assistant = "model"});
}

// Each question with its answer is a sequence of its own: <s>[INST] question [/INST] answer </s>.
std::vector<TextPart> llama2(const std::vector<Turn>& given) {
  std::vector<TextPart> out;
  for (const Turn& turn : system_into_user(given, "<<SYS>>\n", "\n<</SYS>>\n\n")) {
    if (turn.speaker == Speaker::assistant) {
      out.push_back(answer(" " + turn.text + " "));
    } else {
      const bool begins = !out.empty();
      out.push_back(template_text("[INST] " + turn.text + " [/INST]"));
      out.back().begins = begins;
    }
  }
  return out;
}

struct Titles {
  std::string user, assistant, before_answer, between;
};

std::vector<TextPart> titled(const std::vector<Turn>& turns, const Titles& titles) {
  std::vector<TextPart> out;
  for (size_t i = 0; i < turns.size(); ++i) {
    const std::string gap = i > 0 ? titles.between : "";
    if (turns[i].speaker == Speaker::system)
      out.push_back(template_text(turns[i].text));
    else if (turns[i].speaker == Speaker::user)
      out.push_back(
          template_text(gap + titles.user + turns[i].text + titles.between + titles.assistant));
    else
      out.push_back(answer(titles.before_answer + turns[i].text));
  }
  return out;
}

std::vector<TextPart> plain(const std::vector<Turn>& turns) {
  return titled(turns, {"User: ", "Assistant:", " ", "\n"});
}

std::vector<TextPart> headings(const std::vector<Turn>& turns) {
  return titled(turns, {"### Instruction:\n", "### Response:\n", "", "\n\n"});
}

const std::vector<ChatTemplate>& templates() {
  static const std::vector<ChatTemplate> all = {
      {"plain", "", plain},   {"headings", "", headings},       {"chatml", "<|im_end|>", chatml},
      {"llama2", "", llama2}, {"llama3", "<|eot_id|>", llama3}, {"gemma", "<end_of_turn>", gemma}};
  return all;
}

}  // namespace

const std::vector<std::string>& chat_template_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const ChatTemplate& one : templates()) out.push_back(one.name);
    return out;
  }();
  return names;
}

const ChatTemplate& chat_template(const std::string& name) {
  const auto found = std::find_if(templates().begin(), templates().end(),
                                  [&](const ChatTemplate& one) { return one.name == name; });
  MIXTUNE_CHECK(found != templates().end(), name);
  return *found;
}

std::string chat_problem(const std::vector<Turn>& turns, ChatEnd end) {
  Speaker next = Speaker::user;
  for (size_t i = 0; i < turns.size(); ++i) {
    if (i == 0 && turns[i].speaker == Speaker::system) continue;
    if (turns[i].speaker != next)
      return "message " + std::to_string(i + 1) + " has the role " + role(turns[i].speaker) +
             "; expected " + role(next);
    if (turns[i].speaker == Speaker::assistant && turns[i].text.empty())
      return "message " + std::to_string(i + 1) + ", an assistant message, is empty";
    next = next == Speaker::user ? Speaker::assistant : Speaker::user;
  }
  const bool answered = !turns.empty() && turns.back().speaker == Speaker::assistant;
  if (end == ChatEnd::answered && !answered) return "the last message is not from the assistant";
  if (end == ChatEnd::open && (turns.empty() || turns.back().speaker == Speaker::system))
    return "there is no message from the user";
  return "";
}

std::vector<TextPart> render_chat(const ChatTemplate& chat, const std::vector<Turn>& turns) {
  MIXTUNE_CHECK(!turns.empty(), "a conversation without turns");
  std::vector<TextPart> out;
  for (TextPart& part : chat.render(turns)) {
    const bool joins = !out.empty() && !out.back().ends && !part.begins &&
                       out.back().is_supervised == part.is_supervised;
    if (joins) {
      out.back().text += part.text;
      out.back().ends = part.ends;
    } else {
      out.push_back(std::move(part));
    }
  }
  return out;
}

}  // namespace mixtune
