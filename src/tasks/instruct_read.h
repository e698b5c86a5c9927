// Converts the objects of an instruction file to context and supervised text: a prompt and a
// completion, Alpaca's instruction, input and output, or the messages of a chat.
#pragma once

#include <filesystem>

#include "tasks/chat.h"

namespace mixtune {

enum class InstructFields { completion, alpaca, chat };

struct InstructFormat {
  std::optional<InstructFields> fields = {};      // none: detected from the first object
  const ChatTemplate* chat = nullptr;             // formats instructions and messages
  std::optional<std::string> system = {};         // added to a conversation without a system turn
  bool last_answer_alone = false;                 // chats: earlier answers are not supervised
  std::optional<std::string> example_group = {};  // the field of the example group
};

// Throws UserError with file and line for missing keys, values that are not strings, empty
// completions, turns out of order, fields unlike those of the first object, or a number of example
// groups other than two.
DataSet read_instruct(const std::filesystem::path& path, const std::string& name,
                      const InstructFormat& format);

// Reads a request. An object without a completion becomes a prompt to complete.
Example instruct_request(const nlohmann::json& object, const std::string& where,
                         const InstructFormat& format);

std::optional<InstructFields> instruct_fields(const std::string& name);  // none for "auto"
const std::vector<std::string>& instruct_field_names();

}  // namespace mixtune
