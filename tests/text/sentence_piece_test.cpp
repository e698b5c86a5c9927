// The SentencePiece model of the goldens (byte-pair encoding, <unk> <s> </s> and 256 bytes first).
#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "base/file.h"
#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

fs::path model_file() {
  return source_dir() / "tests" / "golden" / "tokenizers" / "sentence_piece" / "tokenizer.model";
}

// A folder with the model and additional files of a tokenizer.
class ModelFolder {
 public:
  ModelFolder() { fs::copy(model_file(), folder_ / "tokenizer.model"); }
  ModelFolder& with(const char* name, const char* text) {
    write_text(folder_ / name, text);
    return *this;
  }
  Tokenizer load() const { return Tokenizer::load(folder_.path()); }

 private:
  TemporaryFolder folder_;
};

constexpr int32_t kByte = 3;  // of the token <0x00>

TEST(SentencePiece, BeginsATextWithBosByDefault) {
  const Tokenizer tokenizer = ModelFolder().load();
  const Ids plain = tokenizer.encode("the king", kPlain).ids;
  Ids expected = {1};
  expected.insert(expected.end(), plain.begin(), plain.end());
  EXPECT_EQ(tokenizer.encode("the king").ids, expected);
  EXPECT_EQ(Tokenizer::load(model_file()).encode("the king").ids, expected);
  expected.push_back(2);
  const char* both = R"({"add_bos_token": true, "add_eos_token": true})";
  EXPECT_EQ(ModelFolder().with("tokenizer_config.json", both).load().encode("the king").ids,
            expected);
  const char* none = R"({"add_bos_token": false})";
  EXPECT_EQ(ModelFolder().with("tokenizer_config.json", none).load().encode("the king").ids, plain);
  const Encoding pair = tokenizer.encode("the", "the", {});
  ASSERT_EQ(pair.ids.size(), 4u);
  EXPECT_EQ(pair.ids[0], 1);
  EXPECT_EQ(pair.ids[2], 1);
  EXPECT_EQ(pair.type_ids, (Ids{0, 0, 1, 1}));
}

TEST(SentencePiece, HasItsRolesAndItsSpecialTokens) {
  const Tokenizer tokenizer = ModelFolder().load();
  EXPECT_EQ(tokenizer.id_of(TokenRole::kUnk), 0);
  EXPECT_EQ(tokenizer.id_of(TokenRole::kBos), 1);
  EXPECT_EQ(tokenizer.id_of(TokenRole::kEos), 2);
  EXPECT_FALSE(tokenizer.id_of(TokenRole::kPad));
  EXPECT_TRUE(tokenizer.is_special(1));
  EXPECT_FALSE(tokenizer.is_special(kByte));
  EXPECT_EQ(tokenizer.token_of(kByte + 10), "<0x0A>");
}

TEST(SentencePiece, GivesBytePiecesTheOffsetsOfTheirCharacter) {
  const Tokenizer tokenizer = ModelFolder().load();
  const Encoding encoding =
      tokenizer.encode("aéé€b", {.add_special = false, .offsets = OffsetUnit::kCodePoints});
  const Span a{0, 1}, first{1, 2}, second{2, 3}, euro{3, 4}, b{4, 5};
  EXPECT_EQ(encoding.offsets,
            (std::vector<Span>{a, first, first, second, second, euro, euro, euro, b}));
  EXPECT_EQ(encoding.ids[1], kByte + 0xC3);
}

TEST(SentencePiece, ReadsTheTextOfASpecialTokenAsText) {
  const Tokenizer tokenizer = ModelFolder().load();
  const Ids ids = tokenizer.encode("</s>", kPlain).ids;
  EXPECT_GT(ids.size(), 1u);
  EXPECT_EQ(tokenizer.decode(ids), "</s>");
}

TEST(SentencePiece, FindsTheAddedTokensOfTheFolder) {
  const Tokenizer tokenizer =
      ModelFolder()
          .with("added_tokens.json", R"({"<start>": 700})")
          .with("tokenizer_config.json",
                R"({"added_tokens_decoder": {"701": {"content": "<stop>", "special": true}}})")
          .load();
  const Ids the = tokenizer.encode("the", kPlain).ids;
  ASSERT_EQ(the.size(), 1u);
  EXPECT_EQ(tokenizer.encode("<start>the<stop>").ids, (Ids{1, 700, the[0], 701}));
  EXPECT_EQ(tokenizer.vocab_size(), 702);
  EXPECT_EQ(tokenizer.decode(Ids{1, 700, the[0], 701}), "<start> the");
  EXPECT_EQ(tokenizer.decode(Ids{1, the[0], 701, 9999}, SpecialTokens::kKeep), "<s> the<stop>");
}

std::string complaint(const ModelFolder& folder) {
  try {
    folder.load();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(SentencePiece, RejectsUnsupportedSettingsOfTheFolder) {
  const auto expect = [](ModelFolder& folder, const char* found) {
    EXPECT_NE(complaint(folder).find(found), std::string::npos) << complaint(folder);
  };
  expect(ModelFolder()
             .with("added_tokens.json", R"({"<start>": 700})")
             .with("tokenizer_config.json", R"({"legacy": false})"),
         "legacy");
  expect(ModelFolder().with("added_tokens.json", R"({"<start>": 5})"), "the id 5");
  expect(ModelFolder().with("added_tokens.json", R"({"<start>": "x"})"), "added_tokens.json");
  expect(ModelFolder().with("tokenizer_config.json",
                            R"({"added_tokens_decoder": {"x": {"content": "a"}}})"),
         "added_tokens_decoder.x");
  expect(ModelFolder().with("tokenizer.model", "\nnot a model"), "not a SentencePiece model");
}

// A second normalizer_spec (field 3) joins the first: its map (field 2) replaces the other.
TEST(SentencePiece, ChecksTheCharacterMap) {
  const std::string map("\x04\0\0\0\0\0\0\0\0", 9);  // an array of one unit is too small
  const std::string field = std::string("\x12\x09") + map;
  const TemporaryFolder folder;
  write_text(folder / "tokenizer.model", read_file(model_file()) + "\x1A\x0B" + field);
  try {
    Tokenizer::load(folder.path());
    ADD_FAILURE() << "the map was not looked at";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("points outside of itself"), std::string::npos)
        << error.what();
  }
}

// A model that is truncated or has changed bytes is either rejected or read.
TEST(SentencePiece, SurvivesDamagedFiles) {
  const std::string whole = read_file(model_file());
  const TemporaryFolder folder;
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    std::string text = whole;
    if (i % 2 == 0) text.resize(1 + random() % text.size());
    for (int n = i % 2 == 0 ? 0 : 1 + random() % 3; n > 0; --n)
      text[1 + random() % (text.size() - 1)] = static_cast<char>(random() % 256);
    write_text(folder / "tokenizer.model", text);
    try {
      const Tokenizer tokenizer = Tokenizer::load(folder.path());
      tokenizer.decode(tokenizer.encode("The quick\n é <s>").ids);
    } catch (const UserError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace mixtune::test
