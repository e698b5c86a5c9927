#include "cli/writing_prompts.h"

#include "base/error.h"
#include "files/json_lines.h"
#include "files/text_lines.h"
#include "tasks/token_text.h"

namespace molt {
namespace {

TypedPrompt checked_prompt(std::string text, const std::string& place) {
  if (text.empty())
    throw UserError(place, "is an empty prompt",
                    "Write something, or the token that begins a text, such as <|endoftext|>.");
  return {std::move(text), place};
}

}  // namespace

TypedPrompt typed_prompt(const std::string& text) {
  checked_text(text, "--prompt");
  return checked_prompt(text, "--prompt");
}

std::vector<TypedPrompt> read_prompts(const std::filesystem::path& file) {
  const std::string name = file == "-" ? "standard input" : file.string();
  std::vector<TypedPrompt> out;
  read_json_lines(file == "-" ? "/dev/stdin" : file, [&](const Json& object, int64_t line) {
    const std::string place = name + ":" + std::to_string(line);
    const auto found = object.find("prompt");
    if (found == object.end() || !found->is_string())
      throw UserError(place, found == object.end() ? "has no 'prompt'" : "'prompt' is no text",
                      "Write objects such as {\"prompt\": \"Once upon a time\"}.");
    out.push_back(checked_prompt(found->get<std::string>(), place));
  });
  return out;
}

int64_t encode_prompts(std::vector<TypedPrompt>& prompts, const Tokenizer& tokenizer,
                       const PromptRoom& room) {
  const TextFrame frame{.begin = begin_tokens(tokenizer)};
  int64_t cut = 0;
  for (TypedPrompt& prompt : prompts) {
    EncodedExample encoded = encode_parts(tokenizer, {{.text = prompt.text}}, frame, {});
    const auto tokens = static_cast<int64_t>(encoded.ids.size());
    if (tokens == 0)
      throw UserError(prompt.place, "has no tokens in this tokenizer", "Write another prompt.");
    encoded.prompt = tokens;
    const bool fits = tokens <= room.tokens;
    if (!fits && !(room.cuts && cut_prompt(encoded, frame, room.tokens)))
      throw UserError(prompt.place,
                      "has " + std::to_string(tokens) + " tokens; the model and max_new_tokens " +
                          "leave room for " + std::to_string(room.tokens),
                      "Shorten it, lower --max-new-tokens, or add --too-long cut_left.");
    cut += !fits;
    prompt.ids = std::move(encoded.ids);
  }
  return cut;
}

}  // namespace molt
