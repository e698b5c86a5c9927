#include "cli/generation_prompts.h"

#include "base/error.h"
#include "cli/field_flags.h"
#include "files/json_lines.h"
#include "tasks/token_text.h"
#include "train/predictor.h"

namespace mixtune {
namespace {

constexpr const char* kPromptObjects =
    "Each line is an object such as {\"prompt\": \"Once upon a time\"}.";

TypedPrompt checked_prompt(std::string text, const std::string& place) {
  if (text.empty())
    throw UserError(place, "is an empty prompt",
                    "Give a prompt, or the token that begins a text, such as <|endoftext|>.");
  return {std::move(text), place};
}

}  // namespace

TypedPrompt typed_prompt(const std::string& text) {
  check_typed_text(text, "--prompt");
  return checked_prompt(text, "--prompt");
}

std::vector<TypedPrompt> read_prompts(const std::filesystem::path& file) {
  const std::string name = file == "-" ? "standard input" : file.string();
  std::vector<TypedPrompt> out;
  read_json_lines(file == "-" ? "/dev/stdin" : file, [&](const Json& object, int64_t line) {
    const std::string place = name + ":" + std::to_string(line);
    const auto found = object.find("prompt");
    if (found == object.end() || !found->is_string())
      throw UserError(place, found == object.end() ? "has no 'prompt'" : "'prompt' is not a string",
                      kPromptObjects);
    out.push_back(checked_prompt(found->get<std::string>(), place));
  });
  if (out.empty()) throw UserError(name, "has no prompt", kPromptObjects);
  return out;
}

TaskPrompts task_prompts(const std::filesystem::path& run, const std::string& split) {
  const char* kHow = "Give --prompt TEXT or --input FILE.";
  if (!is_run_folder(run))
    throw UserError("mixtune generate",
                    "has no prompt, and " + run.string() + " is not a run folder", kHow);
  RunConfig config = read_run_config(run);
  if (config.task.name.empty()) throw UserError(run.string(), "has no task", kHow);
  // With limit_dev some references of a meaning would be missing.
  dynamic_cast<TaskConfig&>(*config.task.config).limit_dev.reset();
  TaskPrompts out;
  out.task =
      tasks().get(config.task.name, "task.name", "task").open({.config = *config.task.config});
  const std::vector<DataSet>& sets =
      split == "dev" ? out.task->evaluation_sets() : out.task->test_sets();
  if (sets.empty())
    throw UserError(
        "mixtune generate",
        "has no prompt, and the run's task " + config.task.name + " has no " + split +
            " file to take prompts from",
        std::string(kHow) + " Or name the file: task." + split + " in the run's config.yaml.");
  out.source = sets.front().source;
  for (GenerationPrompt& one : out.task->generation_prompts(sets.front()))
    out.prompts.push_back({.text = std::move(one.prompt.first),
                           .place = out.source + ":" + std::to_string(one.prompt.line),
                           .parts = std::move(one.prompt.parts),
                           .references = static_cast<int64_t>(one.references.size())});
  if (out.prompts.empty())
    throw UserError("task " + config.task.name, "has no metrics of generated text", kHow);
  return out;
}

int64_t encode_prompts(std::vector<TypedPrompt>& prompts, const Tokenizer& tokenizer,
                       const PromptLimit& space) {
  const TextFrame frame{.begin = begin_tokens(tokenizer), .end = space.end.value_or(-1)};
  int64_t cut = 0;
  for (TypedPrompt& prompt : prompts) {
    std::vector<TextPart> parts = prompt.parts;
    if (parts.empty()) parts.push_back({.text = prompt.text});
    EncodedExample encoded = encode_parts(tokenizer, parts, frame, {});
    const auto tokens = static_cast<int64_t>(encoded.ids.size());
    if (tokens == 0)
      throw UserError(prompt.place, "has no tokens in this tokenizer", "Use another prompt.");
    encoded.prompt = tokens;
    const bool fits = tokens <= space.tokens;
    if (!fits && !(space.cuts && truncate_prompt(encoded, frame, space.tokens)))
      throw UserError(prompt.place,
                      "has " + std::to_string(tokens) + " tokens; the model and max_new_tokens " +
                          "leave room for " + std::to_string(space.tokens),
                      "Shorten it, lower --max-new-tokens, or add --too-long truncate_left.");
    cut += !fits;
    prompt.ids = std::move(encoded.ids);
  }
  return cut;
}

}  // namespace mixtune
