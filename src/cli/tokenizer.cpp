// molt tokenizer: text to ids and back, as training and prediction do it.
#include "text/tokenizer.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <iostream>

#include "base/json.h"
#include "base/scalars.h"
#include "cli/command.h"

namespace molt {
namespace {

struct TokenizerArguments {
  std::string action, path;
  std::vector<std::string> inputs;
  std::optional<std::string> pair;
  std::optional<int64_t> max_length;
  bool no_special = false, is_json = false, shows_tokens = false;
};

// Without any on the command line, every line of standard input.
std::vector<std::string> inputs_of(const TokenizerArguments& arguments) {
  if (!arguments.inputs.empty()) return arguments.inputs;
  std::vector<std::string> out;
  for (std::string line; std::getline(std::cin, line);) out.push_back(line);
  return out;
}

std::string json_line(const Tokenizer& tokenizer, const Encoding& encoding) {
  nlohmann::ordered_json out;
  out["ids"] = encoding.ids;
  out["type_ids"] = encoding.type_ids;
  out["tokens"] = nlohmann::ordered_json::array();
  for (const int32_t id : encoding.ids) out["tokens"].push_back(tokenizer.token_of(id));
  out["offsets"] = nlohmann::ordered_json::array();
  for (const Span& span : encoding.offsets) out["offsets"].push_back({span.begin, span.end});
  out["truncated"] = encoding.truncated;
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

int encode(const TokenizerArguments& arguments, const Tokenizer& tokenizer) {
  const Tokenizer::Options options{
      .add_special = !arguments.no_special,
      .max_length = arguments.max_length,
      .offsets = arguments.is_json ? OffsetUnit::kCodePoints : OffsetUnit::kNone};
  for (const std::string& text : inputs_of(arguments)) {
    const Encoding encoding = arguments.pair ? tokenizer.encode(text, *arguments.pair, options)
                                             : tokenizer.encode(text, options);
    if (arguments.is_json) {
      fmt::print("{}\n", json_line(tokenizer, encoding));
      continue;
    }
    std::string line;
    for (const int32_t id : encoding.ids) {
      if (!line.empty()) line += ' ';
      line += arguments.shows_tokens ? tokenizer.token_of(id) : std::to_string(id);
    }
    fmt::print("{}\n", line);
  }
  return kDone;
}

std::vector<int32_t> parse_ids(const std::string& line) {
  std::vector<int32_t> out;
  for (size_t at = 0; (at = line.find_first_not_of(" ,\t[]", at)) != std::string::npos;) {
    const size_t end = std::min(line.find_first_of(" ,\t[]", at), line.size());
    const auto id = parse_integer(std::string_view(line).substr(at, end - at));
    if (!id || *id < 0 || *id > INT32_MAX)
      throw UserError("molt tokenizer decode", "'" + line.substr(at, end - at) + "' is no token id",
                      "Give whole numbers, separated by spaces.");
    out.push_back(static_cast<int32_t>(*id));
    at = end;
  }
  return out;
}

int decode(const TokenizerArguments& arguments, const Tokenizer& tokenizer) {
  // Ids on the command line are one sequence; each line of standard input is one.
  std::vector<std::string> lines = inputs_of(arguments);
  if (!arguments.inputs.empty()) lines = {join_names(arguments.inputs, " ")};
  for (const std::string& line : lines)
    fmt::print("{}\n",
               tokenizer.decode(parse_ids(line), arguments.no_special ? SpecialTokens::kSkip
                                                                      : SpecialTokens::kKeep));
  return kDone;
}

int run(const TokenizerArguments& arguments) {
  const bool encodes = arguments.action == "encode";
  if (!encodes && arguments.action != "decode")
    throw UserError("molt tokenizer", "unknown action '" + arguments.action + "'",
                    suggestion(arguments.action, {"encode", "decode"}));
  const Tokenizer tokenizer = Tokenizer::load(arguments.path);
  return encodes ? encode(arguments, tokenizer) : decode(arguments, tokenizer);
}

CommandRun declare(CLI::App& app) {
  auto arguments = std::make_shared<TokenizerArguments>();
  app.add_option("action", arguments->action, "encode or decode")->required();
  app.add_option("path", arguments->path, "A model folder or a tokenizer.json")->required();
  app.add_option("inputs", arguments->inputs,
                 "Texts, or ids; without any, the lines of standard input");
  app.add_option("--pair", arguments->pair, "A second text (encode)");
  app.add_option("--max-length", arguments->max_length, "Cut to that many tokens (encode)");
  app.add_flag("--no-special", arguments->no_special, "Neither add nor show special tokens");
  app.add_flag("--tokens", arguments->shows_tokens, "Print tokens instead of ids (encode)");
  app.add_flag("--json", arguments->is_json, "Ids, types, tokens and offsets as JSON (encode)");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_tokenizer(Registry<CommandEntry>& registry) {
  registry.add({"tokenizer",
                "Text to token ids and back",
                {"molt tokenizer encode models/roberta-base 'A text.' --tokens",
                 "molt tokenizer decode models/roberta-base 0 250 2788 4 2"},
                declare});
}

}  // namespace molt
