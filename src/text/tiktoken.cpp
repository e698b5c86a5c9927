#include "text/tiktoken.h"

#include <algorithm>

#include "base/error.h"
#include "base/scalars.h"
#include "text/base64.h"
#include "text/byte_level.h"
#include "text/string_table.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

namespace mixtune {
namespace {

// Meta's tokenizer for LLaMA 3 (the tokenizer.json of Meta-Llama-3-8B has the same).
constexpr const char* kPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Ranks {
  std::vector<std::string> tokens;  // their bytes, in file order; must not be moved
  StringTable table;                // rank by bytes
};

[[noreturn]] void fail(const std::string& file, size_t line, const std::string& found) {
  throw UserError(file + ':' + std::to_string(line), found,
                  "The file may be incomplete; fetch it again.");
}

Ranks read_ranks(std::string_view content, const std::string& file) {
  const auto lines = static_cast<size_t>(std::count(content.begin(), content.end(), '\n')) + 1;
  Ranks ranks{.tokens = {}, .table = StringTable(lines)};
  ranks.tokens.reserve(lines);  // the table points into the tokens
  size_t number = 0;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    std::string_view line = content.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    const auto bytes = from_base64(line.substr(0, space));
    const auto rank =
        space == std::string_view::npos ? std::nullopt : parse_integer(line.substr(space + 1));
    if (!bytes || bytes->empty() || !rank || *rank < 0 || *rank > kLargestTokenId)
      fail(file, number, "is not the base64 of a token and its rank");
    if (ranks.table.find(*bytes) >= 0) fail(file, number, "repeats a token of an earlier line");
    ranks.tokens.push_back(*bytes);
    ranks.table.add(ranks.tokens.back(), static_cast<int32_t>(*rank));
  }
  for (int byte = 0; byte < 256; ++byte)
    if (ranks.table.find(std::string(1, static_cast<char>(byte))) < 0)
      fail(file, number, "ends without a token for the byte " + std::to_string(byte));
  return ranks;
}

std::string letters_of(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) append_utf8(byte_letter(static_cast<uint8_t>(byte)), out);
  return out;
}

// All pairs of tokens that form another token, in the order of that token's rank.
Json merges_of(const Ranks& ranks) {
  Json merges = Json::array();
  struct Halves {
    int32_t left_rank, right_rank;
    size_t left_size;
  };
  std::vector<Halves> halves;
  std::vector<std::pair<int32_t, std::string_view>> tokens;
  for (const std::string& bytes : ranks.tokens) tokens.emplace_back(ranks.table.find(bytes), bytes);
  std::sort(tokens.begin(), tokens.end());
  for (const auto& [rank, bytes] : tokens) {
    halves.clear();
    for (size_t size = 1; size < bytes.size(); ++size) {
      const int32_t left = ranks.table.find(bytes.substr(0, size));
      const int32_t right = left < 0 ? -1 : ranks.table.find(bytes.substr(size));
      if (right >= 0) halves.push_back({left, right, size});
    }
    std::sort(halves.begin(), halves.end(), [](const Halves& a, const Halves& b) {
      return std::pair(a.left_rank, a.right_rank) < std::pair(b.left_rank, b.right_rank);
    });
    for (const Halves& half : halves)
      merges.push_back(letters_of(bytes.substr(0, half.left_size)) + ' ' +
                       letters_of(bytes.substr(half.left_size)));
  }
  return merges;
}

Json added_token(int64_t id, const char* content) {
  return {{"id", id}, {"content", content}, {"normalized", false}, {"special", true}};
}

// Adds the begin-of-text token before each text, if it is among the added tokens.
Json post_processor(const Json& added) {
  constexpr const char* kBegin = "<|begin_of_text|>";
  for (const Json& token : added) {
    if (token.at("content") != kBegin) continue;
    const auto special = [&](int type) {
      return Json{{"SpecialToken", {{"id", kBegin}, {"type_id", type}}}};
    };
    const auto text = [&](const char* id, int type) {
      return Json{{"Sequence", {{"id", id}, {"type_id", type}}}};
    };
    return {{"type", "TemplateProcessing"},
            {"single", Json::array({special(0), text("A", 0)})},
            {"pair", Json::array({special(0), text("A", 0), special(1), text("B", 1)})},
            {"special_tokens", {{kBegin, {{"ids", Json::array({token.at("id")})}}}}}};
  }
  return nullptr;
}

}  // namespace

Json tiktoken_tokenizer(const std::string& content, const std::string& file, Json added) {
  const Ranks ranks = read_ranks(content, file);
  Json vocabulary = Json::object();
  int64_t size = 0;
  for (const std::string& bytes : ranks.tokens) {
    const int32_t rank = ranks.table.find(bytes);
    vocabulary[letters_of(bytes)] = rank;
    size = std::max<int64_t>(size, rank + 1);
  }
  if (added.empty())
    added = Json::array(
        {added_token(size, "<|begin_of_text|>"), added_token(size + 1, "<|end_of_text|>")});
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", kPattern}}}, {"behavior", "Isolated"}};
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  return {{"post_processor", post_processor(added)},
          {"added_tokens", std::move(added)},
          {"pre_tokenizer",
           {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level})}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model",
           {{"type", "BPE"},
            {"ignore_merges", true},
            {"vocab", std::move(vocabulary)},
            {"merges", merges_of(ranks)}}}};
}

}  // namespace mixtune
