#include "text/tokenizer_folder.h"

#include "base/error.h"
#include "base/file.h"
#include "text/json_field.h"
#include "text/model_file.h"
#include "text/unicode.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<TokenRole, const char*> kRoleKeys[] = {
    {TokenRole::kCls, "cls_token"},   {TokenRole::kSep, "sep_token"},
    {TokenRole::kPad, "pad_token"},   {TokenRole::kUnk, "unk_token"},
    {TokenRole::kBos, "bos_token"},   {TokenRole::kEos, "eos_token"},
    {TokenRole::kMask, "mask_token"},
};

Json read_optional(const fs::path& path) {
  return fs::exists(path) ? read_json(path) : Json::object();
}

// A token is given as "[CLS]" or as {"content": "[CLS]", ...}.
void read_roles(const JsonField& file, std::map<TokenRole, std::string>& roles) {
  for (const auto& [role, key] : kRoleKeys) {
    const auto field = file.find(key);
    if (field) roles[role] = field->is_object() ? field->at("content").string() : field->string();
  }
}

std::vector<std::string> lines_of(const fs::path& path) {
  const std::string content = read_file(path);
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    size_t last = end;
    if (last > begin && content[last - 1] == '\r') --last;
    lines.push_back(content.substr(begin, last - begin));
    if (!is_valid_utf8(lines.back()))
      throw UserError(path.string() + ':' + std::to_string(lines.size()), "is not UTF-8",
                      "Fetch the file again.");
    begin = end + 1;
  }
  return lines;
}

Json special_token(const std::string& content, const Json& vocabulary, bool strips_left = false) {
  return {{"id", vocabulary.at(content)},
          {"content", content},
          {"single_word", false},
          {"lstrip", strips_left},
          {"rstrip", false},
          {"normalized", false},
          {"special", true}};
}

std::string name_of(const std::map<TokenRole, std::string>& roles, TokenRole role,
                    const char* fallback) {
  const auto place = roles.find(role);
  return place == roles.end() ? fallback : place->second;
}

void require(const Json& vocabulary, const std::vector<std::string>& tokens, const fs::path& file) {
  for (const std::string& token : tokens)
    if (!vocabulary.contains(token))
      throw UserError(
          file.string(), "has no token " + token,
          "Name the special tokens in tokenizer_config.json or special_tokens_map.json.");
}

// vocab.txt has one token per line, numbered from 0.
Json bert_tokenizer(const fs::path& file, const JsonField& config,
                    const std::map<TokenRole, std::string>& roles) {
  Json vocabulary = Json::object();
  int64_t id = 0;
  for (const std::string& line : lines_of(file))
    vocabulary[line] = id++;  // the last of equal lines is used
  const std::string cls = name_of(roles, TokenRole::kCls, "[CLS]");
  const std::string sep = name_of(roles, TokenRole::kSep, "[SEP]");
  const std::string unk = name_of(roles, TokenRole::kUnk, "[UNK]");
  require(vocabulary, {cls, sep, unk}, file);
  Json added = Json::array();
  for (const std::string& token : {name_of(roles, TokenRole::kPad, "[PAD]"), unk, cls, sep,
                                   name_of(roles, TokenRole::kMask, "[MASK]")})
    if (vocabulary.contains(token)) added.push_back(special_token(token, vocabulary));
  const auto accents = config.find("strip_accents");
  return {{"added_tokens", added},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"handle_chinese_chars", config.boolean_or("tokenize_chinese_chars", true)},
            {"strip_accents", accents ? Json(accents->boolean()) : Json()},
            {"lowercase", config.boolean_or("do_lower_case", true)}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor",
           {{"type", "BertProcessing"},
            {"cls", {cls, vocabulary[cls]}},
            {"sep", {sep, vocabulary[sep]}}}},
          {"decoder", {{"type", "WordPiece"}}},
          {"model", {{"type", "WordPiece"}, {"unk_token", unk}, {"vocab", std::move(vocabulary)}}}};
}

// A vocabulary with <s> and </s> is of the RoBERTa family; GPT-2's has neither.
Json byte_pair_tokenizer(const fs::path& file, const fs::path& merges_file, const JsonField& config,
                         const std::map<TokenRole, std::string>& roles) {
  Json vocabulary = read_json(file);
  JsonField(vocabulary, file.string()).object();
  Json merges = Json::array();
  for (const std::string& line : lines_of(merges_file))
    if (!line.empty()) merges.push_back(line);
  const bool roberta = vocabulary.contains("<s>") && vocabulary.contains("</s>");
  const bool adds_space = config.boolean_or("add_prefix_space", false);
  const std::string cls = name_of(roles, TokenRole::kCls, "<s>");
  const std::string sep = name_of(roles, TokenRole::kSep, "</s>");
  const std::string mask = name_of(roles, TokenRole::kMask, "<mask>");
  Json added = Json::array();
  if (roberta) {
    require(vocabulary, {cls, sep}, file);
    std::vector<std::string> tokens = {cls, name_of(roles, TokenRole::kPad, "<pad>")};
    if (sep != cls) tokens.push_back(sep);
    tokens.push_back(name_of(roles, TokenRole::kUnk, "<unk>"));
    for (const std::string& token : tokens)
      if (vocabulary.contains(token)) added.push_back(special_token(token, vocabulary));
    // RoBERTa's mask includes the space before it, so that it replaces a whole word.
    if (vocabulary.contains(mask)) added.push_back(special_token(mask, vocabulary, true));
  } else if (const std::string end = name_of(roles, TokenRole::kEos, "<|endoftext|>");
             vocabulary.contains(end)) {
    added.push_back(special_token(end, vocabulary));
  }
  Json post_processor = {{"type", "ByteLevel"}, {"trim_offsets", false}};
  if (roberta)
    post_processor = {{"type", "RobertaProcessing"},
                      {"sep", {sep, vocabulary[sep]}},
                      {"cls", {cls, vocabulary[cls]}},
                      {"trim_offsets", true},
                      {"add_prefix_space", adds_space}};
  return {{"added_tokens", added},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", adds_space}}},
          {"post_processor", post_processor},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model",
           {{"type", "BPE"}, {"vocab", std::move(vocabulary)}, {"merges", std::move(merges)}}}};
}

}  // namespace

TokenizerFolder read_tokenizer_folder(const fs::path& path) {
  TokenizerFolder out;
  const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  const bool whole_folder = fs::is_directory(path);
  Json config = Json::object();
  const std::string config_file = (folder / "tokenizer_config.json").string();
  if (whole_folder) {
    config = read_optional(config_file);
    const Json map = read_optional(folder / "special_tokens_map.json");
    read_roles(JsonField(map, (folder / "special_tokens_map.json").string()), out.roles);
    read_roles(JsonField(config, config_file), out.roles);
  }
  const JsonField settings(config, config_file);
  out.file = whole_folder ? folder / "tokenizer.json" : path;
  if (!whole_folder && path.extension() == ".model") {
    const Json nothing = Json::object();
    read_model_file(path, settings, JsonField(nothing, path.string()), out);
    return out;
  }
  if (!whole_folder || fs::exists(out.file)) {
    out.tokenizer = read_json(out.file);
    return out;
  }
  if (fs::exists(out.file = folder / "vocab.txt")) {
    out.tokenizer = bert_tokenizer(out.file, settings, out.roles);
    return out;
  }
  for (const auto& [vocabulary, merges] :
       {std::pair("vocab.json", "merges.txt"), std::pair("encoder.json", "vocab.bpe")}) {
    if (!fs::exists(folder / vocabulary) || !fs::exists(folder / merges)) continue;
    out.file = folder / vocabulary;
    out.tokenizer = byte_pair_tokenizer(out.file, folder / merges, settings, out.roles);
    return out;
  }
  if (fs::exists(folder / "tokenizer.model")) {
    const fs::path extra_file = folder / "added_tokens.json";
    const Json extra = read_optional(extra_file);
    read_model_file(folder / "tokenizer.model", settings, JsonField(extra, extra_file.string()),
                    out);
    return out;
  }
  throw UserError(
      folder.string(),
      "contains no tokenizer; expected tokenizer.json, vocab.txt, vocab.json with merges.txt, "
      "encoder.json with vocab.bpe, or tokenizer.model",
      "Fetch the model's tokenizer files, or name the right folder.");
}

}  // namespace mixtune
