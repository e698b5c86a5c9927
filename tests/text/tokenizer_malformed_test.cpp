// Malformed tokenizer files: every defect gives a one-line error that names the place, never a
// crash.
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

std::string complaint(const Json& json) {
  try {
    load_json(json);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

Json changed(Json json, const std::string& pointer, Json value) {
  json[Json::json_pointer(pointer)] = std::move(value);
  return json;
}

void expect_complaint(const Json& json, const std::string& place, const std::string& found) {
  const std::string line = complaint(json);
  EXPECT_NE(line.find(place), std::string::npos) << "found: " << line << "\nexpected " << place;
  EXPECT_NE(line.find(found), std::string::npos) << "found: " << line << "\nexpected " << found;
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
}

TEST(MalformedTokenizer, NamesTheComponentsThatAreNotSupported) {
  for (const char* type : {"Nmt", "ByteLevel", "Unheard"})
    expect_complaint(changed(bert_json(), "/normalizer", {{"type", type}}), "normalizer.type",
                     type);
  for (const char* type : {"UnicodeScripts", "FixedLength"})
    expect_complaint(changed(bert_json(), "/pre_tokenizer", {{"type", type}}), "pre_tokenizer.type",
                     type);
  for (const char* type : {"CTC", "BPEDecoder"})
    expect_complaint(changed(bert_json(), "/decoder", {{"type", type}}), "decoder.type", type);
  for (const char* type : {"WordLevel", "SentencePiece"})
    expect_complaint(changed(bert_json(), "/model/type", type), "model", type);
  for (const char* key :
       {"byte_fallback", "continuing_subword_prefix", "end_of_word_suffix", "dropout"}) {
    const Json value = std::string(key) == "byte_fallback" ? Json(true)
                       : std::string(key) == "dropout"     ? Json(0.1)
                                                           : Json("@@");
    expect_complaint(changed(byte_level_json(), std::string("/model/") + key, value), "model", key);
    if (std::string(key) != "byte_fallback")
      expect_complaint(changed(character_json(), std::string("/model/") + key, value), "model",
                       key);
  }
  expect_complaint(changed(unigram_json(), "/pre_tokenizer/type", "ByteLevel"), "model",
                   "Unigram behind");
}

TEST(MalformedTokenizer, NamesThePlaceOfAWrongValue) {
  expect_complaint(changed(bert_json(), "/normalizer/lowercase", 1), "normalizer.lowercase",
                   "expected true or false");
  expect_complaint(changed(bert_json(), "/normalizer/type", 1), "normalizer.type",
                   "expected a string");
  expect_complaint(changed(bert_json(), "/pre_tokenizer", "Bert"), "pre_tokenizer",
                   "expected an object");
  expect_complaint(changed(bert_json(), "/model/vocab/the", "8"), "model.vocab", "\"the\"");
  expect_complaint(changed(bert_json(), "/model/vocab/the", -1), "model.vocab", "-1");
  expect_complaint(changed(bert_json(), "/model/vocab/the", 1u << 31), "model.vocab", "expected");
  expect_complaint(changed(bert_json(), "/model/vocab/the", 9), "model.vocab",
                   "to \"a\" and to \"the\"");
  expect_complaint(changed(bert_json(), "/model/vocab", Json::object()), "model.vocab", "empty");
  expect_complaint(changed(bert_json(), "/model/unk_token", "?"), "model", "not in its vocabulary");
  expect_complaint(changed(bert_json(), "/added_tokens/0/id", 7), "added_tokens[0]", "[UNK]");
  expect_complaint(changed(bert_json(), "/added_tokens/0/content", ""), "added_tokens[0]", "empty");
  expect_complaint(changed(bert_json(), "/added_tokens", 5), "added_tokens", "expected a list");
  expect_complaint(changed(bert_json(), "/post_processor/cls", "x"), "post_processor.cls",
                   "[\"[SEP]\", 102]");
  expect_complaint(changed(bert_json(), "/post_processor/cls/1", 99), "post_processor", "99");
  expect_complaint(changed(byte_level_json(), "/model/merges/0", "a b c"), "model.merges[0]",
                   "a b c");
  expect_complaint(changed(byte_level_json(), "/model/merges/0", {"a", "zz"}), "model.merges[0]",
                   "zz");
  expect_complaint(changed(byte_level_json(), "/model/merges/0", {"a"}), "model.merges[0]",
                   "expected");
  expect_complaint(changed(character_json(), "/normalizer/normalizers/0/prepend", 1),
                   "normalizers[0].prepend", "expected a string");
  expect_complaint(changed(character_json(), "/decoder/decoders/3/content", "ab"),
                   "decoders[3].content", "not a single character");
  expect_complaint(changed(character_json(), "/decoder/decoders/3/start", -1), "decoders[3].start",
                   "expected a whole number");
  expect_complaint(changed(character_json(), "/model/vocab", Json::array()), "model.vocab",
                   "expected an object");
  expect_complaint(changed(character_json(), "/model/unk_token", "?"), "model.unk_token",
                   "not in the vocabulary");
  Json no_model = bert_json();
  no_model.erase("model");
  expect_complaint(no_model, "tokenizer.json", "has no \"model\"");
}

TEST(MalformedTokenizer, NamesDefectsOfUnigramAndMetaspace) {
  const auto with = [](const char* pointer, Json value) {
    return changed(unigram_json(), pointer, std::move(value));
  };
  expect_complaint(with("/model/vocab", {{"a", 1}}), "model.vocab", "expected a list");
  expect_complaint(with("/model/vocab", Json::array()), "model.vocab", "empty");
  expect_complaint(with("/model/vocab/1", {"a"}), "model.vocab[1]", "not a token with its score");
  expect_complaint(with("/model/vocab/1", {"q", "b"}), "model.vocab[1][1]", "expected a number");
  expect_complaint(with("/model/vocab/1", {2, -1.0}), "model.vocab[1][0]", "expected a string");
  expect_complaint(with("/model/vocab/1", {"<unk>", -1.0}), "model.vocab[1]", "which is repeated");
  expect_complaint(with("/model/unk_id", 99), "model.unk_id", "expected a whole number");
  expect_complaint(with("/pre_tokenizer/replacement", ""), "pre_tokenizer.replacement",
                   "not a single character");
  expect_complaint(with("/pre_tokenizer/replacement", "ab"), "pre_tokenizer.replacement",
                   "not a single character");
  expect_complaint(with("/pre_tokenizer/prepend_scheme", "last"), "pre_tokenizer.prepend_scheme",
                   "last");
  expect_complaint(with("/pre_tokenizer/add_prefix_space", false), "pre_tokenizer.add_prefix_space",
                   "prepend_scheme");
  const auto map = [](const char* text) {
    return changed(unigram_json(), "/normalizer",
                   {{"type", "Precompiled"}, {"precompiled_charsmap", text}});
  };
  const std::string place = "normalizer.precompiled_charsmap";
  expect_complaint(map("%%%%"), place, "not base64");
  expect_complaint(map("AAA="), place, "is truncated");
  expect_complaint(map("AAAAAA=="), place, "declares an array of 0 bytes");
  expect_complaint(map("CAAAAAAAAAA="), place, "declares an array of 8 bytes and has 4");
  expect_complaint(map("BAAAAAAAAAA="), place, "points outside of itself");
  expect_complaint(map("BAAAAAAAAAD/"), place, "not UTF-8");
}

TEST(MalformedTokenizer, NamesTheLineOfABadTiktokenFile) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte)
    bytes += base64_of_byte(byte) + ' ' + std::to_string(byte) + '\n';
  const auto line_of = [](const std::string& content) -> std::string {
    const TemporaryFolder folder;
    write_text(folder / "tokenizer.model", content);
    try {
      Tokenizer::load(folder.path()).encode("a");
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(line_of(bytes), "");
  for (const auto& [content, found] :
       {std::pair<std::string, const char*>("", ":0: ends without a token for the byte 0"),
        {"QQ== 0\n", ":1: ends without"},
        {bytes + "QUI=\n", ":257: is not the base64"},
        {bytes + "QUI= x\n", ":257: is not the base64"},
        {bytes + "QUI= -1\n", ":257: is not the base64"},
        {bytes + "QU 300\n", ":257: is not the base64"},
        {bytes + "QQ== 300\n", ":257: repeats a token"},
        {bytes + "QUI= 5\n", "gives the id 5"}})
    EXPECT_NE(line_of(content).find(found), std::string::npos) << line_of(content);
}

TEST(MalformedTokenizer, RejectsInvalidPatterns) {
  const Json split = {{"type", "Split"}, {"pattern", {{"Regex", "(["}}}, {"behavior", "Removed"}};
  expect_complaint(changed(bert_json(), "/pre_tokenizer", split), "pre_tokenizer.pattern.Regex",
                   "not a regular expression");
  expect_complaint(
      changed(bert_json(), "/pre_tokenizer",
              {{"type", "Split"}, {"pattern", {{"String", "x"}}}, {"behavior", "Odd"}}),
      "pre_tokenizer.behavior", "Odd");
}

TEST(MalformedTokenizer, StopsAPatternWithExcessiveBacktracking) {
  Json json = bert_json();
  json["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"Regex", "^((a|a)+(b|c))+$"}}}, {"behavior", "Isolated"}};
  const Tokenizer tokenizer = load_json(json);
  EXPECT_THROW(tokenizer.encode(std::string(60, 'a') + "!"), UserError);
}

TEST(MalformedTokenizer, RejectsDeepNesting) {
  std::string text = "{\"normalizer\": ";
  for (int i = 0; i < 100000; ++i) text += R"({"type": "Sequence", "normalizers": [)";
  const TemporaryFolder folder;
  write_text(folder / "tokenizer.json", text);
  EXPECT_THROW(Tokenizer::load(folder.path()), UserError);
}

// A file that is truncated or has changed bytes is either rejected or read.
TEST(MalformedTokenizer, SurvivesDamagedFiles) {
  const TemporaryFolder folder;
  std::mt19937 random(5);
  for (const Json& json : {bert_json(), byte_level_json(), character_json(), unigram_json()}) {
    const std::string whole = json.dump();
    for (int i = 0; i < 400; ++i) {
      std::string text = whole;
      if (i % 2 == 0) text.resize(random() % text.size());
      for (int n = i % 2 == 0 ? 0 : 1 + random() % 3; n > 0; --n)
        text[random() % text.size()] = static_cast<char>("0{}[]\",:-x\xFF"[random() % 11]);
      write_text(folder / "tokenizer.json", text);
      try {
        const Tokenizer tokenizer = Tokenizer::load(folder.path());
        tokenizer.decode(tokenizer.encode("The quick abc <end> [CLS] 中é", "ab", {}).ids);
      } catch (const UserError& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace mixtune::test
