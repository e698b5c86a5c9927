// mixtune tokenizer: encodes and decodes text as training and prediction do, and trains byte-level
// BPE tokenizers.
#include "text/tokenizer.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <iostream>

#include "base/file.h"
#include "base/json.h"
#include "base/scalars.h"
#include "cli/command.h"
#include "text/train_bpe.h"

namespace mixtune {
namespace {

struct TokenizerArguments {
  std::string action, path;
  std::vector<std::string> inputs;
  std::optional<std::string> pair;
  std::optional<int64_t> max_length;
  bool no_special = false, is_json = false, shows_tokens = false;
  std::vector<std::string> files;  // to train on
  std::string output;
  bool overwrite = false;
  BpeTraining training{.special_tokens = {}};
};

// The inputs of the command line; if there are none, the lines of standard input.
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
      throw UserError("mixtune tokenizer decode",
                      "'" + line.substr(at, end - at) + "' is not a token id",
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

int train(const TokenizerArguments& arguments) {
  if (arguments.files.empty() || arguments.output.empty())
    throw UserError("mixtune tokenizer train", "needs --input and --output",
                    "Name the text files and the folder to write.");
  const auto path = std::filesystem::path(arguments.output) / "tokenizer.json";
  std::error_code error;
  if (!arguments.overwrite && std::filesystem::exists(path, error))
    throw UserError(path.string(), "exists already", "Name another folder, or add --overwrite.");
  BpeTraining training = arguments.training;
  if (training.special_tokens.empty()) training.special_tokens = {"<|endoftext|>"};
  WordCounts words;
  for (const std::string& file : arguments.files) words.add(read_file(file), file);
  const TrainedBpe trained = train_bpe(words, training);
  create_folder(arguments.output);
  write_file_atomically(path, tokenizer_json(trained, training));
  fmt::print("{} tokens and {} merges from {} distinct words: {}\n", trained.tokens.size(),
             trained.merges.size(), words.counts().size(), path.string());
  if (static_cast<int64_t>(trained.tokens.size()) < training.vocab_size)
    fmt::print("Fewer than the requested {} tokens: no other pair occurs {} times.\n",
               training.vocab_size, training.min_frequency);
  return kDone;
}

int run(const TokenizerArguments& arguments) {
  if (arguments.action == "train") return train(arguments);
  const bool encodes = arguments.action == "encode";
  if (!encodes && arguments.action != "decode")
    throw UserError("mixtune tokenizer", "unknown action '" + arguments.action + "'",
                    suggestion(arguments.action, {"encode", "decode", "train"}));
  if (arguments.path.empty())
    throw UserError("mixtune tokenizer " + arguments.action, "needs a tokenizer",
                    "Name a model folder or a tokenizer.json.");
  const Tokenizer tokenizer = Tokenizer::load(arguments.path);
  return encodes ? encode(arguments, tokenizer) : decode(arguments, tokenizer);
}

CommandRun declare_tokenizer(CLI::App& app) {
  auto arguments = std::make_shared<TokenizerArguments>();
  app.add_option("action", arguments->action, "encode, decode or train")->required();
  app.add_option("path", arguments->path,
                 "Model folder, tokenizer.json or tokenizer.model (encode, decode)");
  app.add_option("inputs", arguments->inputs,
                 "Texts or token ids (default: the lines of standard input)");
  app.add_option("--pair", arguments->pair, "Second text of a pair (encode)");
  app.add_option("--max-length", arguments->max_length,
                 "Truncate to this number of tokens (encode)");
  app.add_flag("--no-special-tokens", arguments->no_special,
               "Do not add special tokens (encode) or print them (decode)");
  app.add_flag("--tokens", arguments->shows_tokens, "Print tokens instead of ids (encode)");
  app.add_flag("--json", arguments->is_json,
               "Print ids, types, tokens and offsets as JSON (encode)");
  app.add_option("--input", arguments->files, "Text files in UTF-8 (train)");
  app.add_option("--output", arguments->output, "Folder for the new tokenizer.json (train)");
  app.add_flag("--overwrite", arguments->overwrite, "Replace an existing tokenizer.json (train)");
  app.add_option("--vocab-size", arguments->training.vocab_size,
                 "Vocabulary size, including bytes and special tokens (train)")
      ->capture_default_str();
  app.add_option("--min-frequency", arguments->training.min_frequency,
                 "Minimum number of occurrences of a pair to be merged (train)")
      ->capture_default_str();
  app.add_option("--special-tokens", arguments->training.special_tokens,
                 "Special tokens (train; default <|endoftext|>)");
  return [arguments] { return run(*arguments); };
}

}  // namespace

void register_tokenizer(Registry<CommandEntry>& registry) {
  registry.add(
      {"tokenizer",
       "Encode and decode text; train a byte-level BPE tokenizer",
       {"mixtune tokenizer encode models/roberta-base 'A text.' --tokens",
        "mixtune tokenizer decode models/roberta-base 0 250 2788 4 2",
        "mixtune tokenizer train --input books.txt --vocab-size 8000 --output models/mine"},
       declare_tokenizer});
}

}  // namespace mixtune
