#include <gtest/gtest.h>

#include "base/error.h"
#include "text/written_tokenizer.h"

namespace mixtune::test {
namespace {

const char* kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nHello\n##s\n";

TEST(TokenizerFolder, ReadsVocabTxtAsBertLowerCased) {
  const TemporaryFolder folder;
  write_text(folder / "vocab.txt", kVocabulary);
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.encode("Hellos [MASK]").ids, (Ids{2, 5, 7, 4, 3}));
  EXPECT_EQ(tokenizer.id_of(TokenRole::kPad), 0);
  EXPECT_EQ(tokenizer.id_of(TokenRole::kMask), 4);
  EXPECT_EQ(tokenizer.vocab_size(), 8);
}

TEST(TokenizerFolder, TakesCaseAndSpecialTokensFromTheConfiguration) {
  const TemporaryFolder folder;
  write_text(folder / "vocab.txt", "<none>\n<a>\n<z>\nHello\nhello\n");
  write_text(folder / "tokenizer_config.json",
             R"({"do_lower_case": false, "unk_token": "<none>"})");
  write_text(folder / "special_tokens_map.json",
             R"({"cls_token": {"content": "<a>", "lstrip": false}, "sep_token": "<z>"})");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.encode("Hello x hello").ids, (Ids{1, 3, 0, 4, 2}));
  EXPECT_EQ(tokenizer.id_of(TokenRole::kCls), 1);
}

TEST(TokenizerFolder, ReadsVocabAndMergesOfGpt2UnderBothNames) {
  const Json json = byte_level_json();
  Json vocabulary = json["model"]["vocab"];
  vocabulary.erase("<end>");
  vocabulary["<|endoftext|>"] = 300;
  std::string merges = "#version: 0.2\n";
  for (const Json& merge : json["model"]["merges"])
    merges += merge[0].get<std::string>() + ' ' + merge[1].get<std::string>() + '\n';
  for (const auto& [first, second] :
       {std::pair("vocab.json", "merges.txt"), std::pair("encoder.json", "vocab.bpe")}) {
    const TemporaryFolder folder;
    write_text(folder / first, vocabulary.dump());
    write_text(folder / second, merges);
    const Tokenizer tokenizer = Tokenizer::load(folder.path());
    EXPECT_EQ(tokenizer.encode("abc ab<|endoftext|>").ids, (Ids{258, 259, 300}));
    EXPECT_EQ(tokenizer.id_of(TokenRole::kEos), 300);
  }
}

TEST(TokenizerFolder, ReadsVocabAndMergesOfRoberta) {
  Json vocabulary = byte_level_json()["model"]["vocab"];
  vocabulary.erase("<end>");
  int id = 300;
  for (const char* token : {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}) vocabulary[token] = id++;
  const TemporaryFolder folder;
  write_text(folder / "vocab.json", vocabulary.dump());
  write_text(folder / "merges.txt", "a b\n");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.encode("ab <mask>").ids, (Ids{300, 256, 304, 302}));
  EXPECT_EQ(tokenizer.encode("a", "b", {}).ids, (Ids{300, 'a', 302, 302, 'b', 302}));
  EXPECT_EQ(tokenizer.id_of(TokenRole::kSep), 302);
}

TEST(TokenizerFolder, ReportsWhatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_THROW(Tokenizer::load(folder.path()), UserError);
  EXPECT_THROW(Tokenizer::load(folder / "tokenizer.json"), UserError);
  write_text(folder / "vocab.json", "{}");
  EXPECT_THROW(Tokenizer::load(folder.path()), UserError);  // merges.txt
  write_text(folder / "vocab.txt", "no\nspecial\ntokens\n");
  EXPECT_THROW(Tokenizer::load(folder.path()), UserError);
}

}  // namespace
}  // namespace mixtune::test
