// The prompts of `mixtune generate`: from the command line, JSON lines or a run's task to token
// ids.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tasks/task.h"
#include "text/tokenizer.h"

namespace mixtune {

struct TypedPrompt {
  std::string text, place;  // place: "file:line", or the flag
  std::vector<int32_t> ids = {};
  // Of a task: what the model reads in place of `text`, and how many texts people wrote for it.
  std::vector<TextPart> parts = {};
  std::optional<int64_t> references = {};
};

// UserError for a text that is empty or no UTF-8.
TypedPrompt typed_prompt(const std::string& text);
// Objects with "prompt", at least one. UserError at file:line for what is no JSON object, has no
// such text or an empty one.
std::vector<TypedPrompt> read_prompts(const std::filesystem::path& file);

// What a run's task is scored by: each of its meanings once, in the order of the references.
struct TaskPrompts {
  std::unique_ptr<Task> task;
  std::string source;  // the file with the references
  std::vector<TypedPrompt> prompts;
};

// `split`: dev or test. UserError where the run's task is not scored by what is written, or has no
// such file.
TaskPrompts task_prompts(const std::filesystem::path& run, const std::string& split);

struct PromptSpace {
  int64_t tokens;     // that a prompt may have
  bool cuts = false;  // a longer one loses tokens behind its begin tokens; false: UserError
  std::optional<int32_t> end = {};  // the token behind a part that ends
};

// Fills `ids`, as training on texts does: the tokenizer's begin tokens, where it has any, and the
// text. Returns how many were cut.
int64_t encode_prompts(std::vector<TypedPrompt>& prompts, const Tokenizer& tokenizer,
                       const PromptSpace& space);

}  // namespace mixtune
