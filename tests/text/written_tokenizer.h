// Small hand-written tokenizer.json files for the tests, so that expected values can be computed by
// hand as well.
#pragma once

#include <fstream>
#include <string>

#include "base/json.h"
#include "support/paths.h"
#include "text/tokenizer.h"

namespace mixtune::test {

inline void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline Tokenizer load_json(const Json& json) {
  const TemporaryFolder folder;
  write_text(folder / "tokenizer.json", json.dump());
  return Tokenizer::load(folder.path());
}

// [UNK] 0, [CLS] 1, [SEP] 2, then words and pieces.
inline Json bert_json() {
  return Json::parse(R"({
    "added_tokens": [
      {"id": 0, "content": "[UNK]", "special": true, "normalized": false},
      {"id": 1, "content": "[CLS]", "special": true, "normalized": false},
      {"id": 2, "content": "[SEP]", "special": true, "normalized": false}],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                   "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 1], "sep": ["[SEP]", 2]},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {
      "[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "play": 3, "##ing": 4, "##ed": 5, "cafe": 6, ",": 7,
      "the": 8, "a": 9, "##a": 10, "中": 11, "i": 12, ".": 13}}})");
}

// The 256 letters of the byte-level alphabet are 0 to 255 in byte order; then merges.
inline Json byte_level_json() {
  Json vocabulary = Json::object();
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool own = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    const int letter = own ? byte : next++;
    std::string spelt;
    if (letter < 0x80) {
      spelt += static_cast<char>(letter);
    } else {
      spelt += static_cast<char>(0xC0 | letter >> 6);
      spelt += static_cast<char>(0x80 | (letter & 0x3F));
    }
    vocabulary[spelt] = byte;
  }
  Json merges = Json::array();
  const std::pair<const char*, const char*> pairs[] = {{"a", "b"},  {"b", "c"}, {"ab", "c"},
                                                       {"Ġ", "ab"}, {"a", "a"}, {"aa", "aa"}};
  for (const auto& [left, right] : pairs) {
    merges.push_back({left, right});
    vocabulary[std::string(left) + right] = 256 + static_cast<int>(merges.size()) - 1;
  }
  vocabulary["<end>"] = 300;
  return {{"added_tokens", {{{"id", 300}, {"content", "<end>"}, {"special", true}}}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"post_processor", {{"type", "ByteLevel"}, {"trim_offsets", false}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}}}};
}

// Like LLaMA 2: <unk> 0, <s> 1, </s> 2, the bytes of é and of the line break, then pieces.
inline Json character_json() {
  return Json::parse(R"({
    "added_tokens": [
      {"id": 0, "content": "<unk>", "special": true, "normalized": false},
      {"id": 1, "content": "<s>", "special": true, "normalized": false},
      {"id": 2, "content": "</s>", "special": true, "normalized": false}],
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Prepend", "prepend": "▁"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
               {"Sequence": {"id": "A", "type_id": 0}},
               {"Sequence": {"id": "B", "type_id": 1}}],
      "special_tokens": {"<s>": {"ids": [1]}}},
    "decoder": {"type": "Sequence", "decoders": [
      {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
      {"type": "ByteFallback"}, {"type": "Fuse"},
      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
      "vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "<0xC3>": 3, "<0xA9>": 4, "<0x0A>": 5, "▁": 6,
                "a": 7, "b": 8, "ab": 9, "▁ab": 10, "▁a": 11},
      "merges": [["a", "b"], ["▁", "ab"], ["▁", "a"]]}})");
}

// Like T5: <unk> 0 with pieces and their scores; the smallest is -8, so an unknown character has
// -18.
inline Json unigram_json() {
  return Json::parse(R"({
    "added_tokens": [{"id": 0, "content": "<unk>", "special": true, "normalized": false}],
    "normalizer": {"type": "NFKC"},
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always",
                      "split": true},
    "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
    "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [
      ["<unk>", 0.0], ["▁", -2.0], ["a", -3.0], ["b", -4.0], ["ab", -6.5], ["▁a", -4.5],
      ["bc", -8.0], ["c", -5.0]]}})");
}

inline std::string base64_of_byte(int byte) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return {digits[byte >> 2], digits[(byte & 3) << 4], '=', '='};
}

using Ids = std::vector<int32_t>;
inline constexpr Tokenizer::Options kPlain = {.add_special = false};
inline constexpr Tokenizer::Options kWithOffsets = {.add_special = false,
                                                    .offsets = OffsetUnit::kCodePoints};

}  // namespace mixtune::test
