// Ids, tokens, offsets and decoded text of the reference libraries for difficult strings.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "support/golden.h"
#include "text/tokenizer.h"

namespace mixtune::test {
namespace {

using Ids = std::vector<int32_t>;
using Offsets = std::vector<std::array<uint32_t, 2>>;

Offsets as_pairs(const std::vector<Span>& spans) {
  Offsets out;
  for (const Span& span : spans) out.push_back({span.begin, span.end});
  return out;
}

// Compares the values of a case for one text or pair, and counts them.
class Comparison {
 public:
  Comparison(const Tokenizer& tokenizer, const GoldenCase& golden)
      : tokenizer_(tokenizer), name_(golden.name) {}
  int64_t values() const { return values_; }

  void string(const Json& entry) {
    const std::string text = entry.at("text");
    const std::string where = name_ + ": " + entry.at("text").dump();
    const auto plain =
        tokenizer_.encode(text, {.add_special = false, .offsets = OffsetUnit::kCodePoints});
    equal(plain.ids, entry.at("ids"), where);
    equal(tokens_of(plain.ids, entry.at("tokens")), entry.at("tokens"), where);
    // The SentencePiece library has neither offsets in code points nor special tokens around a
    // text: those of LLaMA are tested separately.
    if (!entry.contains("offsets"))
      return equal(tokenizer_.decode(plain.ids), entry.at("decoded"), where + " decoded");
    equal(as_pairs(plain.offsets), entry.at("offsets"), where);
    const auto bytes =
        tokenizer_.encode(text, {.add_special = false, .offsets = OffsetUnit::kBytes});
    const char* in_bytes = entry.contains("byte_offsets") ? "byte_offsets" : "offsets";
    equal(as_pairs(bytes.offsets), entry.at(in_bytes), where + " in bytes");
    const auto special = tokenizer_.encode(text);
    const char* with = entry.contains("ids_with_special") ? "ids_with_special" : "ids";
    equal(special.ids, entry.at(with), where + " with special tokens");
    equal(tokenizer_.decode(special.ids), entry.at("decoded"), where + " decoded");
    const char* all = entry.contains("decoded_with_special") ? "decoded_with_special" : "decoded";
    equal(tokenizer_.decode(special.ids, SpecialTokens::kKeep), entry.at(all),
          where + " decoded whole");
  }

  void pair(const Json& entry) {
    const auto encoding = tokenizer_.encode(entry.at("first").get<std::string>(),
                                            entry.at("second").get<std::string>(), {});
    const std::string where = name_ + ": " + entry.dump();
    equal(encoding.ids, entry.at("ids"), where);
    equal(encoding.type_ids, entry.at("type_ids"), where);
    equal(encoding.special, entry.at("special_mask"), where);
  }

  template <typename T>
  void equal(const T& found, const Json& expected, const std::string& where) {
    EXPECT_EQ(found, expected.get<T>()) << where;
    values_ += expected.is_array() ? std::max<int64_t>(1, expected.size()) : 1;
  }

 private:
  // For unknown text in Unigram, the reference library returns the text instead of the token.
  std::vector<std::string> tokens_of(const Ids& ids, const Json& expected) const {
    std::vector<std::string> tokens;
    for (size_t i = 0; i < ids.size(); ++i) {
      const bool is_unknown = tokenizer_.id_of(TokenRole::kUnk) == ids[i];
      tokens.push_back(is_unknown && i < expected.size() ? expected[i].get<std::string>()
                                                         : tokenizer_.token_of(ids[i]));
    }
    return tokens;
  }

  const Tokenizer& tokenizer_;
  std::string name_;
  int64_t values_ = 0;
};

void check_tokenizer(const GoldenCase& golden, GoldenTally& tally) {
  const fs::path file = golden_path(golden, golden.json.at("tokenizer"));
  if (!fs::exists(file))
    return tally.skipped(golden, golden.json.at("tokenizer").get<std::string>() + " is not here");
  const Tokenizer tokenizer = Tokenizer::load(file);
  Comparison comparison(tokenizer, golden);
  comparison.equal(tokenizer.vocab_size(), golden.json.at("vocab_size"), golden.name);
  const Json added = golden.json.value("added_tokens", Json::object());
  const Json pairs = golden.json.value("pairs", Json::array());
  for (const auto& [id, content] : added.items())
    comparison.equal(tokenizer.token_of(std::stoi(id)), content,
                     golden.name + " added token " + id);
  for (const Json& entry : golden.json.at("strings")) comparison.string(entry);
  for (const Json& entry : pairs) comparison.pair(entry);
  tally.checked(golden, comparison.values());
}

MIXTUNE_GOLDEN_CHECKER(tokenizer, check_tokenizer);

// The tokenizer of a file of expected ids.
std::string folder_of(const std::string& stem) {
  const std::map<std::string, std::string> folders = {{"bert-bge", "bert-base-uncased"},
                                                      {"gpt-2", "gpt2"},
                                                      {"llama-bpe", "llama3"},
                                                      {"llama-spm", "llama2"}};
  const auto place = folders.find(stem);
  return place == folders.end() ? stem : place->second;
}

// Another implementation's ids for 44 difficult strings, for every file that is present.
TEST(TokenizerTest_golden, EqualsTheExpectedIdsOfTheDataFolder) {
  const fs::path folder = data_dir() / "tokenizers";
  if (!fs::exists(folder / "expected_ids"))
    GTEST_SKIP() << folder / "expected_ids"
                 << " is not here";
  for (const auto& file : fs::directory_iterator(folder / "expected_ids")) {
    const fs::path name = folder / folder_of(file.path().stem().string());
    ASSERT_TRUE(fs::exists(name)) << "no tokenizer is known for " << file.path();
    std::vector<Tokenizer> tokenizers;
    tokenizers.push_back(Tokenizer::load(name));
    // The same tokenizer from its older files next to tokenizer.json.
    const TemporaryFolder older;
    bool has_older = false;
    for (const char* part : {"vocab.txt", "encoder.json", "vocab.bpe"})
      if (fs::exists(name / part)) has_older |= fs::copy_file(name / part, older / part);
    if (has_older) tokenizers.push_back(Tokenizer::load(older.path()));
    std::ifstream lines(file.path());
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      const Json entry = Json::parse(line);
      for (const Tokenizer& tokenizer : tokenizers)
        EXPECT_EQ(tokenizer.encode(entry.at("text").get<std::string>(), {.add_special = false}).ids,
                  entry.at("ids").get<Ids>())
            << file.path() << ": " << line;
    }
    std::cout << "expected ids: " << file.path().filename() << ", " << count << " strings, "
              << tokenizers.size() << " readings\n";
    EXPECT_GT(count, 40) << file.path();
  }
}

void check_minilm_pair(const Tokenizer& tokenizer, const Json& entry) {
  const std::string first = entry.at("first"), second = entry.at("second");
  const std::string how = entry.at("truncation");
  Tokenizer::Options options;
  if (how != "no") options.max_length = entry.at("max_length").get<int64_t>();
  if (how == "only_first") options.truncation = Truncation::kOnlyFirst;
  if (how == "only_second") options.truncation = Truncation::kOnlySecond;
  if (entry.contains("error")) {
    EXPECT_THROW(tokenizer.encode(first, second, options), std::runtime_error) << entry;
    return;
  }
  // transformers treats an empty second text as none.
  const bool is_single = second.empty() && how != "only_second";
  const Encoding found =
      is_single ? tokenizer.encode(first, options) : tokenizer.encode(first, second, options);
  if (!(second.empty() && how == "only_second")) {
    EXPECT_EQ(found.ids, entry.at("ids").get<Ids>()) << entry;
    EXPECT_EQ(found.type_ids, entry.at("token_type_ids").get<Ids>()) << entry;
  }
  if (!entry.contains("raw_ids")) return;
  const Encoding raw = tokenizer.encode(first, second, options);
  EXPECT_EQ(raw.ids, entry.at("raw_ids").get<Ids>()) << entry;
  EXPECT_EQ(raw.type_ids, entry.at("raw_token_type_ids").get<Ids>()) << entry;
}

TEST(TokenizerTest_golden, EqualsMiniLmForSentencesAndForPairsUnderEveryTruncation) {
  const fs::path folder = minilm_folder();
  if (!fs::exists(folder / "tokenizer.json")) GTEST_SKIP() << folder << " is not here";
  const Tokenizer tokenizer = Tokenizer::load(folder);
  int64_t compared = 0;
  for (const GoldenCase& golden : golden_cases("minilm")) {
    for (const Json& entry : golden.json.at("sentences")) {
      const auto found = tokenizer.encode(entry.at("text").get<std::string>(), {.max_length = 256});
      EXPECT_EQ(found.ids, entry.at("ids").get<Ids>()) << entry;
      ++compared;
    }
    for (const Json& entry : golden.json.at("pairs")) {
      check_minilm_pair(tokenizer, entry);
      ++compared;
    }
  }
  std::cout << "golden minilm (ids): " << compared << " texts and pairs\n";
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace mixtune::test
