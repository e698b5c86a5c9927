#include "text/tiktoken.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/scalars.h"
#include "text/base64.h"
#include "text/byte_level.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

namespace molt {
namespace {

// Meta's tokenizer for LLaMA 3 (the tokenizer.json of Meta-Llama-3-8B has the same).
constexpr const char* kPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

using Ranks = std::unordered_map<std::string, int32_t>;  // by bytes

[[noreturn]] void fail(const std::string& file, size_t line, const std::string& found) {
  throw UserError(file + ':' + std::to_string(line), found,
                  "Is the file complete? Fetch it again.");
}

Ranks read_ranks(std::string_view content, const std::string& file) {
  Ranks ranks;
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
    const auto rank = space == std::string_view::npos
                          ? std::nullopt
                          : parse_integer(std::string(line.substr(space + 1)));
    if (!bytes || bytes->empty() || !rank || *rank < 0 || *rank > kLargestTokenId)
      fail(file, number, "is not the base64 of a token and its rank");
    if (!ranks.emplace(*bytes, static_cast<int32_t>(*rank)).second)
      fail(file, number, "gives a rank to a token that an earlier line has");
  }
  for (int byte = 0; byte < 256; ++byte)
    if (!ranks.contains(std::string(1, static_cast<char>(byte))))
      fail(file, number, "ends without a token for the byte " + std::to_string(byte));
  return ranks;
}

std::string letters_of(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) append_utf8(byte_letter(static_cast<uint8_t>(byte)), out);
  return out;
}

// All ways to make each token of two others, the tokens in the order of their ranks.
Json merges_of(const Ranks& ranks) {
  std::vector<std::pair<int32_t, const std::string*>> tokens;
  for (const auto& [bytes, rank] : ranks) tokens.emplace_back(rank, &bytes);
  std::sort(tokens.begin(), tokens.end());
  Json merges = Json::array();
  struct Halves {
    int32_t left_rank, right_rank;
    size_t left_size;
  };
  std::vector<Halves> halves;
  for (const auto& [rank, bytes] : tokens) {
    halves.clear();
    for (size_t size = 1; size < bytes->size(); ++size) {
      const auto left = ranks.find(bytes->substr(0, size));
      const auto right = ranks.find(bytes->substr(size));
      if (left != ranks.end() && right != ranks.end())
        halves.push_back({left->second, right->second, size});
    }
    std::sort(halves.begin(), halves.end(), [](const Halves& a, const Halves& b) {
      return std::pair(a.left_rank, a.right_rank) < std::pair(b.left_rank, b.right_rank);
    });
    for (const Halves& half : halves)
      merges.push_back(letters_of(std::string_view(*bytes).substr(0, half.left_size)) + ' ' +
                       letters_of(std::string_view(*bytes).substr(half.left_size)));
  }
  return merges;
}

Json added_token(int64_t id, const char* content) {
  return {{"id", id}, {"content", content}, {"normalized", false}, {"special", true}};
}

// The beginning of the text before each text, of whichever kind the added tokens are.
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
  for (const auto& [bytes, rank] : ranks) {
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

}  // namespace molt
