#include <gtest/gtest.h>

#include "text/base64.h"
#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

// The bytes, then ab 256, abc 257 and xyz 258, which no two tokens form.
std::string small_vocabulary() {
  std::string out;
  for (int byte = 0; byte < 256; ++byte)
    out += base64_of_byte(byte) + ' ' + std::to_string(byte) + '\n';
  return out + "YWI= 256\nYWJj 257\neHl6 258\n";
}

TEST(Tiktoken, MergesByRankAndTakesWholeWords) {
  const TemporaryFolder folder;
  write_text(folder / "tokenizer.model", small_vocabulary());
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.encode("abcab", kPlain).ids, (Ids{257, 256}));
  EXPECT_EQ(tokenizer.encode("xyz xyzz", kPlain).ids, (Ids{258, ' ', 'x', 'y', 'z', 'z'}));
  EXPECT_EQ(tokenizer.decode(Ids{257, 256}), "abcab");
}

TEST(Tiktoken, BeginsATextAsInLlama3) {
  const TemporaryFolder folder;
  write_text(folder / "tokenizer.model", small_vocabulary());
  const Tokenizer tokenizer = Tokenizer::load(folder / "tokenizer.model");
  EXPECT_EQ(tokenizer.encode("ab").ids, (Ids{259, 256}));
  EXPECT_EQ(tokenizer.encode("<|end_of_text|>", kPlain).ids, (Ids{260}));
  EXPECT_EQ(tokenizer.id_of(TokenRole::kBos), 259);
  EXPECT_EQ(tokenizer.id_of(TokenRole::kEos), 260);
  EXPECT_EQ(tokenizer.vocab_size(), 261);
}

TEST(Tiktoken, TakesSpecialTokensFromTheConfiguration) {
  const TemporaryFolder folder;
  write_text(folder / "tokenizer.model", small_vocabulary());
  write_text(folder / "tokenizer_config.json", R"({"eos_token": "<end>", "added_tokens_decoder": {
    "270": {"content": "<end>", "special": true}}})");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.encode("ab<end>").ids, (Ids{256, 270}));
  EXPECT_EQ(tokenizer.id_of(TokenRole::kEos), 270);
  EXPECT_EQ(tokenizer.vocab_size(), 271);
}

TEST(Base64, ReadsBytesAndRejectsInvalidInput) {
  EXPECT_EQ(from_base64(""), "");
  EXPECT_EQ(from_base64("TQ=="), "M");
  EXPECT_EQ(from_base64("TWE="), "Ma");
  EXPECT_EQ(from_base64("TWFu"), "Man");
  EXPECT_EQ(from_base64("/+8="), "\xFF\xEF");
  for (const char* text : {"T", "TQ", "TQ=", "TQ==TQ==", "T===", "TW-u", "TR==", "===="})
    EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace mixtune::test
