// Decoding of generated token ids: end ids, stop strings, and the part that can be printed already.
#include "cli/generated_text.h"

#include <gtest/gtest.h>

#include "support/tiny_tokenizer.h"

namespace mixtune::test {
namespace {

class GeneratedTextTest : public testing::Test {
 protected:
  GeneratedTextTest() { write_tiny_tokenizer(folder_ / "t", TokenizerStyle::gpt2); }
  GeneratedText reader(const std::vector<std::string>& stops,
                       SpecialTokens special = SpecialTokens::kSkip) {
    return {tokenizer(), ids_of_characters("a prompt"), stops, {1}, special};
  }
  const Tokenizer& tokenizer() {
    if (!tokenizer_) tokenizer_.emplace(Tokenizer::load(folder_ / "t"));
    return *tokenizer_;
  }

 private:
  TemporaryFolder folder_;
  std::optional<Tokenizer> tokenizer_;
};

TEST_F(GeneratedTextTest, KeepsTheSpaceAtItsStart) {
  EXPECT_EQ(reader({}).text(ids_of_characters(" and more")), " and more");
  EXPECT_EQ(reader({}).text({}), "");
}

TEST_F(GeneratedTextTest, EndsBeforeTheFirstStopString) {
  const GeneratedText text = reader({"more", "and"});
  EXPECT_EQ(text.text(ids_of_characters("this and more")), "this ");
  EXPECT_TRUE(text.has_stop(ids_of_characters("this and")));
  EXPECT_FALSE(text.has_stop(ids_of_characters("this an")));
}

TEST_F(GeneratedTextTest, LeavesOutItsEndToken) {
  std::vector<int32_t> ids = ids_of_characters("so");
  ids.push_back(1);
  EXPECT_EQ(reader({}).text(ids), "so");
  EXPECT_EQ(reader({}, SpecialTokens::kKeep).text(ids), "so<|endoftext|>");
}

TEST_F(GeneratedTextTest, HoldsBackTheBeginningOfAStopString) {
  const GeneratedText text = reader({"and so on", "!"});
  EXPECT_EQ(text.stable_prefix(ids_of_characters("this and s")), "this ");
  EXPECT_EQ(text.stable_prefix(ids_of_characters("this and t")), "this and t");
  EXPECT_EQ(text.stable_prefix(ids_of_characters("this!")), "this");
}

}  // namespace
}  // namespace mixtune::test
