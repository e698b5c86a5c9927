// Ids, tokens, offsets and decoded text of the reference libraries for hard strings.
#include <gtest/gtest.h>

#include <fstream>

#include "support/golden.h"
#include "text/tokenizer.h"

namespace molt::test {
namespace {

using Ids = std::vector<int32_t>;
using Offsets = std::vector<std::array<uint32_t, 2>>;

Offsets as_pairs(const std::vector<Span>& spans) {
  Offsets out;
  for (const Span& span : spans) out.push_back({span.begin, span.end});
  return out;
}

// Compares what a case holds for one text or pair, and counts it.
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
    std::vector<std::string> tokens;
    for (int32_t id : plain.ids) tokens.push_back(tokenizer_.token_of(id));
    equal(tokens, entry.at("tokens"), where);
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
  const Tokenizer& tokenizer_;
  std::string name_;
  int64_t values_ = 0;
};

TEST(TokenizerTest_golden, EqualsTheReferenceLibraries) {
  const std::vector<GoldenCase> cases = golden_cases("tokenizer");
  MOLT_NEEDS_GOLDEN(cases, "tokenizer");
  GoldenTally tally("tokenizer");
  for (const GoldenCase& golden : cases) {
    if (is_pending(golden)) {
      tally.pending(golden);
      continue;
    }
    const fs::path file = golden_path(golden, golden.json.at("tokenizer"));
    if (!fs::exists(file)) {
      tally.skipped(golden, golden.json.at("tokenizer").get<std::string>() + " is not here");
      continue;
    }
    const Tokenizer tokenizer = Tokenizer::load(file);
    Comparison comparison(tokenizer, golden);
    comparison.equal(tokenizer.vocab_size(), golden.json.at("vocab_size"), golden.name);
    for (const auto& [id, content] : golden.json.at("added_tokens").items())
      comparison.equal(tokenizer.token_of(std::stoi(id)), content,
                       golden.name + " added token " + id);
    for (const Json& entry : golden.json.at("strings")) comparison.string(entry);
    for (const Json& entry : golden.json.at("pairs")) comparison.pair(entry);
    tally.checked(golden, comparison.values());
  }
}

// Another implementation's ids for 44 hard strings.
TEST(TokenizerTest_golden, EqualsTheExpectedIdsOfTheDataFolder) {
  const fs::path folder = data_dir() / "tokenizers";
  if (!fs::exists(folder / "expected_ids"))
    GTEST_SKIP() << folder / "expected_ids"
                 << " is not here";
  const std::pair<const char*, const char*> files[] = {{"bert-bge.jsonl", "bert-base-uncased"},
                                                       {"gpt-2.jsonl", "gpt2"}};
  for (const auto& [file, name] : files) {
    std::vector<Tokenizer> tokenizers;
    tokenizers.push_back(Tokenizer::load(folder / name));
    // The same tokenizer from its older files, which lie beside tokenizer.json.
    const TemporaryFolder older;
    for (const char* part : {"vocab.txt", "encoder.json", "vocab.bpe"})
      if (fs::exists(folder / name / part)) fs::copy(folder / name / part, older / part);
    tokenizers.push_back(Tokenizer::load(older.path()));
    std::ifstream lines(folder / "expected_ids" / file);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      const Json entry = Json::parse(line);
      for (const Tokenizer& tokenizer : tokenizers)
        EXPECT_EQ(tokenizer.encode(entry.at("text").get<std::string>(), {.add_special = false}).ids,
                  entry.at("ids").get<Ids>())
            << file << ": " << line;
    }
    EXPECT_GT(count, 40) << file;
  }
}

fs::path minilm_folder() {
  if (const char* value = std::getenv("MOLT_MINILM")) return value;
  return source_dir() / ".cache" / "all-MiniLM-L6-v2";
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
  // transformers takes an empty second text for none.
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
}  // namespace molt::test
