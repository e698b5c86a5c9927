// The prompts of `mixtune generate`, from the command line, from JSON lines or from a run's task,
// and their token ids.
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
  // For prompts of a task: what the model reads in place of `text`, and the number of references.
  std::vector<TextPart> parts = {};
  std::optional<int64_t> references = {};
};

// UserError for a text that is empty or not UTF-8.
TypedPrompt typed_prompt(const std::string& text);
// Reads JSON objects with "prompt", at least one. UserError at file:line for a line that is not a
// JSON object or has no prompt or an empty one.
std::vector<TypedPrompt> read_prompts(const std::filesystem::path& file);

// The prompts that a run's task is scored on: each meaning once, in the order of the references.
struct TaskPrompts {
  std::unique_ptr<Task> task;
  std::string source;  // the file with the references
  std::vector<TypedPrompt> prompts;
};

// `split`: dev or test. UserError if the run's task has no metrics of generated text, or no file
// for the split.
TaskPrompts task_prompts(const std::filesystem::path& run, const std::string& split);

struct PromptLimit {
  int64_t tokens;     // maximum number of tokens of a prompt
  bool cuts = false;  // longer prompts lose the tokens after their begin tokens; false: UserError
  std::optional<int32_t> end = {};  // the token after a part that ends
};

// Sets `ids` as in training on text: the begin tokens of the tokenizer, if any, then the text.
// Returns the number of prompts that were truncated.
int64_t encode_prompts(std::vector<TypedPrompt>& prompts, const Tokenizer& tokenizer,
                       const PromptLimit& space);

}  // namespace mixtune
