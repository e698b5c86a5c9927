#include "text/model_file.h"

#include "base/file.h"
#include "base/scalars.h"
#include "text/tiktoken.h"
#include "text/vocabulary.h"

namespace mixtune {
namespace {

// {"32000": {"content": "<pad>", ...}} and {"<pad>": 32000} as added_tokens of a tokenizer.json.
Json added_tokens(const JsonField& config, const JsonField& extra) {
  Json out = Json::array();
  if (const auto tokens = config.find("added_tokens_decoder"))
    for (const auto& [id, entry] : tokens->object().items()) {
      const JsonField token = tokens->at(id);
      const auto number = parse_integer(id);
      if (!number) token.fail("has a key that is not a token id");
      Json copy = token.object();
      copy["id"] = *number;
      out.push_back(std::move(copy));
    }
  for (const auto& [content, id] : extra.object().items()) {
    bool is_known = false;
    for (const Json& token : out) is_known = is_known || token.value("content", "") == content;
    if (is_known) continue;
    const int64_t number = extra.at(content).integer(0, kLargestTokenId);
    out.push_back({{"id", number}, {"content", content}, {"normalized", false}});
  }
  return out;
}

struct Ends {
  std::string bos, eos;  // empty: none
  int64_t bos_id = 0, eos_id = 0;
};

// Every text begins with bos and ends with eos, if they are set.
Json template_of(const Ends& ends) {
  const auto one = [&](const char* text, int type) {
    Json items = Json::array();
    const auto special = [&](const std::string& name) {
      if (!name.empty()) items.push_back({{"SpecialToken", {{"id", name}, {"type_id", type}}}});
    };
    special(ends.bos);
    items.push_back({{"Sequence", {{"id", text}, {"type_id", type}}}});
    special(ends.eos);
    return items;
  };
  Json pair = one("A", 0);
  for (Json& item : one("B", 1)) pair.push_back(std::move(item));
  Json tokens = Json::object();
  if (!ends.bos.empty()) tokens[ends.bos] = {{"ids", Json::array({ends.bos_id})}};
  if (!ends.eos.empty()) tokens[ends.eos] = {{"ids", Json::array({ends.eos_id})}};
  return {{"type", "TemplateProcessing"},
          {"single", one("A", 0)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(tokens)}};
}

void read_sentence_pieces(const std::string& content, const JsonField& config, Json added,
                          TokenizerFolder& out) {
  auto pieces = std::make_unique<const SentencePieces>(content, out.file.string());
  if (!added.empty() && !config.boolean_or("legacy", true))
    config.at("legacy").reject("false, for a tokenizer.model with added tokens",
                               "true, or a tokenizer.json beside it");
  Json vocabulary = Json::object();
  for (int32_t id = 0; id < pieces->size(); ++id) vocabulary[pieces->piece(id)] = id;
  for (const auto& [role, id] :
       {std::pair(TokenRole::kBos, pieces->bos()), std::pair(TokenRole::kEos, pieces->eos()),
        std::pair(TokenRole::kPad, pieces->pad()), std::pair(TokenRole::kUnk, pieces->unknown())})
    if (id >= 0) out.roles.try_emplace(role, pieces->piece(id));
  // The LLaMA family has byte fallback, and its tokenizers begin every text with bos.
  Ends ends;
  if (config.boolean_or("add_bos_token", pieces->has_bytes()) && pieces->bos() >= 0) {
    ends.bos = pieces->piece(pieces->bos());
    ends.bos_id = pieces->bos();
  }
  if (config.boolean_or("add_eos_token", false) && pieces->eos() >= 0) {
    ends.eos = pieces->piece(pieces->eos());
    ends.eos_id = pieces->eos();
  }
  out.tokenizer = {{"added_tokens", std::move(added)},
                   {"post_processor", template_of(ends)},
                   {"model", {{"type", "SentencePiece"}, {"vocab", std::move(vocabulary)}}}};
  out.sentence_pieces = std::move(pieces);
}

}  // namespace

void read_model_file(const std::filesystem::path& file, const JsonField& config,
                     const JsonField& extra, TokenizerFolder& out) {
  out.file = file;
  const std::string content = read_file(file);
  Json added = added_tokens(config, extra);
  // The first field of a SentencePiece model is a list of messages with this byte as its tag;
  // base64 does not begin with it.
  if (content.starts_with('\n'))
    return read_sentence_pieces(content, config, std::move(added), out);
  out.tokenizer = tiktoken_tokenizer(content, file.string(), std::move(added));
  out.roles.try_emplace(TokenRole::kBos, "<|begin_of_text|>");
  out.roles.try_emplace(TokenRole::kEos, "<|end_of_text|>");
}

}  // namespace mixtune
