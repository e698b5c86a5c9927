// A tokenizer of single characters for tests of language models: byte-level without merges, so that
// an ASCII text has one token per character. The GPT-2 variant adds nothing; the LLaMA variant puts
// <s> before a text.
#pragma once

#include <fstream>

#include "base/json.h"
#include "support/paths.h"

namespace mixtune::test {

enum class TokenizerStyle { gpt2, llama };

// Ids: 0 is the begin token (or <|endoftext|>), 1 the end token, then <|im_start|>, <|im_end|>, the
// printable characters from '!' on, the space and the line feed.
inline constexpr int32_t kFirstCharacter = 4;
inline constexpr int64_t kTinyVocabulary = kFirstCharacter + ('~' - '!' + 1) + 2;

inline int32_t id_of_character(char c) {
  constexpr int32_t kSpace = kFirstCharacter + ('~' - '!' + 1);
  return c == ' ' ? kSpace : c == '\n' ? kSpace + 1 : kFirstCharacter + (c - '!');
}

inline std::vector<int32_t> ids_of_characters(const std::string& text) {
  std::vector<int32_t> out;
  for (const char c : text) out.push_back(id_of_character(c));
  return out;
}

inline void write_tiny_tokenizer(const fs::path& folder, TokenizerStyle style) {
  const bool is_llama = style == TokenizerStyle::llama;
  const std::vector<std::string> special = {is_llama ? "<s>" : "<unused>",
                                            is_llama ? "</s>" : "<|endoftext|>", "<|im_start|>",
                                            "<|im_end|>"};
  Json vocabulary, added = Json::array();
  for (size_t i = 0; i < special.size(); ++i) {
    vocabulary[special[i]] = i;
    added.push_back({{"id", i},
                     {"content", special[i]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  for (char c = '!'; c <= '~'; ++c) vocabulary[std::string(1, c)] = id_of_character(c);
  vocabulary["\u0120"] = id_of_character(' ');
  vocabulary["\u010a"] = id_of_character('\n');
  Json post = nullptr;
  if (is_llama)
    post = {{"type", "TemplateProcessing"},
            {"single",
             {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
            {"pair",
             {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
              {{"Sequence", {{"id", "B"}, {"type_id", 1}}}}}},
            {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {0}}, {"tokens", {"<s>"}}}}}}};
  const Json tokenizer = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "ByteLevel"},
        {"add_prefix_space", false},
        {"trim_offsets", true},
        {"use_regex", true}}},
      {"post_processor", post},
      {"decoder",
       {{"type", "ByteLevel"},
        {"add_prefix_space", true},
        {"trim_offsets", true},
        {"use_regex", true}}},
      {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}}}};
  fs::create_directories(folder);
  std::ofstream(folder / "tokenizer.json") << tokenizer.dump();
  std::ofstream(folder / "tokenizer_config.json") << Json({{"eos_token", special[1]}}).dump();
}

}  // namespace mixtune::test
