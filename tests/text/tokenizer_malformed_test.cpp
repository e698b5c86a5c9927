// Files come from anywhere: whatever is wrong in one gives one line that names the place, never a
// crash.
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "text/written_tokenizer.h"

namespace molt::test {
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
  for (const char* type : {"Precompiled", "Nmt", "Prepend", "ByteLevel", "Unheard"})
    expect_complaint(changed(bert_json(), "/normalizer", {{"type", type}}), "normalizer.type",
                     type);
  for (const char* type : {"Metaspace", "UnicodeScripts", "FixedLength"})
    expect_complaint(changed(bert_json(), "/pre_tokenizer", {{"type", type}}), "pre_tokenizer.type",
                     type);
  for (const char* type : {"Metaspace", "ByteFallback", "CTC", "Strip", "BPEDecoder"})
    expect_complaint(changed(bert_json(), "/decoder", {{"type", type}}), "decoder.type", type);
  for (const char* type : {"Unigram", "WordLevel"})
    expect_complaint(changed(bert_json(), "/model/type", type), "model", type);
  for (const char* key :
       {"byte_fallback", "continuing_subword_prefix", "end_of_word_suffix", "dropout"}) {
    const Json value = std::string(key) == "byte_fallback" ? Json(true)
                       : std::string(key) == "dropout"     ? Json(0.1)
                                                           : Json("@@");
    expect_complaint(changed(byte_level_json(), std::string("/model/") + key, value), "model", key);
  }
  expect_complaint(changed(byte_level_json(), "/pre_tokenizer", nullptr), "model", "BPE without");
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
  Json no_model = bert_json();
  no_model.erase("model");
  expect_complaint(no_model, "tokenizer.json", "has no \"model\"");
}

TEST(MalformedTokenizer, RefusesPatternsThatAreNone) {
  const Json split = {{"type", "Split"}, {"pattern", {{"Regex", "(["}}}, {"behavior", "Removed"}};
  expect_complaint(changed(bert_json(), "/pre_tokenizer", split), "pre_tokenizer.pattern.Regex",
                   "not a regular expression");
  expect_complaint(
      changed(bert_json(), "/pre_tokenizer",
              {{"type", "Split"}, {"pattern", {{"String", "x"}}}, {"behavior", "Odd"}}),
      "pre_tokenizer.behavior", "Odd");
}

TEST(MalformedTokenizer, StopsAPatternThatBacktracksWithoutEnd) {
  Json json = bert_json();
  json["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"Regex", "^((a|a)+(b|c))+$"}}}, {"behavior", "Isolated"}};
  const Tokenizer tokenizer = load_json(json);
  EXPECT_THROW(tokenizer.encode(std::string(60, 'a') + "!"), UserError);
}

TEST(MalformedTokenizer, RefusesDeepNesting) {
  std::string text = "{\"normalizer\": ";
  for (int i = 0; i < 100000; ++i) text += R"({"type": "Sequence", "normalizers": [)";
  const TemporaryFolder folder;
  write_text(folder / "tokenizer.json", text);
  EXPECT_THROW(Tokenizer::load(folder.path()), UserError);
}

// Cut short, and with bytes changed, a file is refused or read; nothing else happens.
TEST(MalformedTokenizer, SurvivesDamagedFiles) {
  const TemporaryFolder folder;
  std::mt19937 random(5);
  for (const Json& json : {bert_json(), byte_level_json()}) {
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
}  // namespace molt::test
