#include "tasks/instruct_read.h"

#include <algorithm>

#include "files/json_records.h"
#include "tasks/example_groups.h"

namespace mixtune {
namespace {

constexpr const char* kExpected =
    "expected prompt and completion, or instruction and output, or messages";

std::string fields_text(InstructFields fields) {
  return fields == InstructFields::completion ? "prompt and completion"
         : fields == InstructFields::alpaca   ? "instruction and output"
                                              : "messages";
}

std::optional<InstructFields> fields_of(const Json& object) {
  if (object.contains("messages")) return InstructFields::chat;
  if (object.contains("prompt")) return InstructFields::completion;
  if (object.contains("instruction")) return InstructFields::alpaca;
  return std::nullopt;
}

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == text.npos;
}

// The completion, or nothing if it is missing and may be.
std::optional<std::string> completion_at(const Json& object, const std::string& key, ChatEnd end,
                                         const std::string& where) {
  if (end == ChatEnd::open && !object.contains(key)) return std::nullopt;
  std::string text = text_at(object, key, where);
  if (is_blank(text))
    throw UserError(where, "'" + key + "' is empty: there is nothing to train on",
                    "Fill it in or leave the example out.");
  return text;
}

Speaker speaker_at(const Json& message, const std::string& where) {
  const std::string role = text_at(message, "role", where);
  if (role == "system" || role == "developer") return Speaker::system;
  if (role == "user") return Speaker::user;
  if (role == "assistant") return Speaker::assistant;
  throw UserError(where, "has the role '" + role + "'; expected system, user or assistant",
                  "Correct the role.");
}

std::vector<Turn> chat_turns(const Json& object, const std::string& where) {
  const Json& messages = object.at("messages");
  if (!messages.is_array() || messages.empty())
    throw UserError(where,
                    "'messages' is " + std::string(messages.type_name()) +
                        (messages.is_array() ? " without an entry" : "") +
                        "; expected a list of {role, content}",
                    "Correct the example or leave it out.");
  std::vector<Turn> out;
  for (const Json& message : messages) {
    const std::string at = where + " message " + std::to_string(out.size() + 1);
    if (!message.is_object())
      throw UserError(at, std::string("is ") + message.type_name() + "; expected an object",
                      "Write {\"role\": ..., \"content\": ...}.");
    const Speaker speaker = speaker_at(message, at);
    out.push_back({speaker, text_at(message, "content", at)});
  }
  return out;
}

std::vector<Turn> alpaca_turns(const Json& object, ChatEnd end, const std::string& where) {
  std::string question = text_at(object, "instruction", where);
  if (object.contains("input"))
    if (const std::string input = text_at(object, "input", where); !is_blank(input))
      question += "\n\n" + input;
  std::vector<Turn> out = {{Speaker::user, std::move(question)}};
  if (auto text = completion_at(object, "output", end, where))
    out.push_back({Speaker::assistant, std::move(*text)});
  return out;
}

std::vector<TextPart> parts_of(const Json& object, InstructFields fields, ChatEnd end,
                               const InstructFormat& format, const std::string& where) {
  if (fields == InstructFields::completion) {
    std::vector<TextPart> parts = {{.text = text_at(object, "prompt", where)}};
    if (auto text = completion_at(object, "completion", end, where))
      parts.push_back({.text = std::move(*text), .is_supervised = true, .ends = true});
    return parts;
  }
  std::vector<Turn> turns =
      fields == InstructFields::chat ? chat_turns(object, where) : alpaca_turns(object, end, where);
  if (format.system && turns.front().speaker != Speaker::system)
    turns.insert(turns.begin(), {Speaker::system, *format.system});
  if (const std::string problem = chat_problem(turns, end); !problem.empty())
    throw UserError(where, problem, "Correct the conversation or leave it out.");
  std::vector<TextPart> parts = render_chat(*format.chat, turns);
  if (format.last_answer_alone)
    for (size_t i = 0; i + 1 < parts.size(); ++i) parts[i].is_supervised = false;
  return parts;
}

// Strings, numbers and booleans as they are written; null means no group.
std::string group_at(const Json& object, const std::string& key, const std::string& where) {
  const auto value = object.find(key);
  if (value == object.end())
    throw UserError(where, "has " + key_list(object) + "; expected the field '" + key + "'",
                    "Choose the field with task.example_group, or leave it out.");
  if (value->is_null()) return "";
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number() || value->is_boolean()) return value->dump();
  throw UserError(where,
                  "has " + std::string(value->type_name()) + " in '" + key + "'; expected a string",
                  "Write the example group as a string in quotes.");
}

void check_fields(const Json& object, InstructFields fields, const std::string& where) {
  const bool known = fields == InstructFields::chat         ? object.contains("messages")
                     : fields == InstructFields::completion ? object.contains("prompt")
                                                            : object.contains("instruction");
  if (!known)
    throw UserError(where,
                    "has " + key_list(object) + "; expected " + fields_text(fields) +
                        ", as in the first example or set by task.fields",
                    "Give all examples of a file the same fields.");
}

}  // namespace

const std::vector<std::string>& instruct_field_names() {
  static const std::vector<std::string> names = {"auto", "completion", "alpaca", "chat"};
  return names;
}

std::optional<InstructFields> instruct_fields(const std::string& name) {
  if (name == "auto") return std::nullopt;
  const auto& names = instruct_field_names();
  const auto found = std::find(names.begin() + 1, names.end(), name);
  MIXTUNE_CHECK(found != names.end(), name);
  return static_cast<InstructFields>(found - names.begin() - 1);
}

DataSet read_instruct(const std::filesystem::path& path, const std::string& name,
                      const InstructFormat& format) {
  DataSet out{.name = name, .source = path.string()};
  std::optional<InstructFields> fields = format.fields;
  std::vector<std::string> groups;
  read_json_records(path, [&](const Json& object, const RecordPlace& place) {
    if (!fields) fields = fields_of(object);
    if (!fields)
      throw UserError(place.text, "has " + key_list(object) + "; " + kExpected,
                      "Rename the fields.");
    check_fields(object, *fields, place.text);
    Example example{.id = static_cast<int64_t>(out.examples.size()), .line = place.line};
    example.parts = parts_of(object, *fields, ChatEnd::answered, format, place.text);
    for (const TextPart& part : example.parts) example.first += part.text;
    if (format.example_group) groups.push_back(group_at(object, *format.example_group, place.text));
    out.examples.push_back(std::move(example));
  });
  if (format.example_group) number_groups(groups, *format.example_group, out);
  return out;
}

Example instruct_request(const Json& object, const std::string& where,
                         const InstructFormat& format) {
  if (!object.is_object())
    throw UserError(where, std::string("found ") + object.type_name() + "; expected a JSON object",
                    "Write one object per line.");
  const auto fields = format.fields ? format.fields : fields_of(object);
  if (!fields)
    throw UserError(where, "has " + key_list(object) + "; " + kExpected, "Rename the fields.");
  check_fields(object, *fields, where);
  Example out;
  out.parts = parts_of(object, *fields, ChatEnd::open, format, where);
  return out;
}

}  // namespace mixtune
