// One object of an instruction file to what is said and what is learnt: a prompt and a completion,
// Alpaca's instruction, input and output, or the messages of a chat.
#pragma once

#include <filesystem>

#include "tasks/chat.h"

namespace mixtune {

enum class InstructFields { completion, alpaca, chat };

struct InstructFormat {
  std::optional<InstructFields> fields = {};  // none: those of the first object
  const ChatTemplate* chat = nullptr;         // how instructions and messages are written
  std::optional<std::string> system = {};     // said first where a conversation has no system turn
  bool last_answer_alone = false;             // of a chat: earlier answers are not learnt
  std::optional<std::string> example_group = {};  // the field of which example group it is in
};

// UserError with file and line: keys that are missing, no texts, empty completions, turns out of
// order, fields unlike those of the first object, example groups that are not two.
DataSet read_instruct(const std::filesystem::path& path, const std::string& name,
                      const InstructFormat& format);

// An object without a completion is a prompt that waits for one.
Example instruct_request(const nlohmann::json& object, const std::string& where,
                         const InstructFormat& format);

std::optional<InstructFields> instruct_fields(const std::string& name);  // none for "auto"
const std::vector<std::string>& instruct_field_names();

}  // namespace mixtune
