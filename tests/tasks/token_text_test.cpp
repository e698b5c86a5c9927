#include "tasks/token_text.h"

#include "support/tiny_tokenizer.h"
#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

Tokenizer tokenizer(TokenizerStyle style) {
  const TemporaryFolder folder;
  write_tiny_tokenizer(folder.path(), style);
  return Tokenizer::load(folder.path());
}

std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Which tokens are supervised, as "..##".
std::string mask(const EncodedExample& example) {
  std::string out(example.ids.size(), '.');
  for (const TokenSpan& span : example.supervised)
    for (int64_t t = span.begin; t < span.end; ++t) out.at(static_cast<size_t>(t)) = '#';
  return out;
}

const std::vector<TextPart> kPair = {{.text = "ab "},
                                     {.text = "cd", .is_supervised = true, .ends = true}};

TEST(TextFrame, HasTheTokenizersBeginTokensAndEndToken) {
  const TextFrame llama = text_frame(tokenizer(TokenizerStyle::llama), {}, "task.end");
  EXPECT_EQ(llama.begin, std::vector<int32_t>{0});
  EXPECT_EQ(llama.end, 1);
  const TextFrame gpt2 = text_frame(tokenizer(TokenizerStyle::gpt2), {}, "task.end");
  EXPECT_TRUE(gpt2.begin.empty());
  EXPECT_EQ(text_frame(tokenizer(TokenizerStyle::gpt2), "<|im_end|>", "task.end").end, 3);
  contains(user_error([&] { text_frame(tokenizer(TokenizerStyle::gpt2), "<eot>", "task.end"); }),
           "task.end: the tokenizer has no token '<eot>'");
}

TEST(EncodeParts, SupervisesTheCompletionAndTheEndToken) {
  for (const auto style : {TokenizerStyle::gpt2, TokenizerStyle::llama}) {
    const Tokenizer t = tokenizer(style);
    const TextFrame frame = text_frame(t, {}, "");
    const EncodedExample e = encode_parts(t, kPair, frame, {});
    const bool is_llama = style == TokenizerStyle::llama;
    EXPECT_EQ(e.ids, joined(joined(frame.begin, ids_of_characters("ab cd")), {1}));
    EXPECT_EQ(mask(e), is_llama ? "....###" : "...###");
    EXPECT_EQ(e.prompt, is_llama ? 4 : 3);
    EXPECT_EQ(e.supervised_tokens(), 3);
  }
}

TEST(EncodeParts, TheBeginTokenOccursOnceEvenIfTheTextContainsIt) {
  const Tokenizer t = tokenizer(TokenizerStyle::llama);
  const EncodedExample e =
      encode_parts(t, {{.text = "<s>a"}, {.text = "b", .is_supervised = true, .ends = true}},
                   text_frame(t, {}, ""), {});
  EXPECT_EQ(e.ids, (std::vector<int32_t>{0, id_of_character('a'), id_of_character('b'), 1}));
}

TEST(EncodeParts, TheEndTokenOccursOnceEvenIfTheCompletionContainsIt) {
  const Tokenizer t = tokenizer(TokenizerStyle::gpt2);
  const EncodedExample e = encode_parts(
      t, {{.text = "a"}, {.text = "b<|endoftext|>", .is_supervised = true, .ends = true}},
      text_frame(t, {}, ""), {});
  EXPECT_EQ(e.ids.size(), 3u);
  EXPECT_EQ(mask(e), ".##");
}

TEST(EncodeParts, SeveralAnswersAreSeveralSpans) {
  const Tokenizer t = tokenizer(TokenizerStyle::gpt2);
  const EncodedExample e = encode_parts(t,
                                        {{.text = "a"},
                                         {.text = "b", .is_supervised = true, .ends = true},
                                         {.text = "cd"},
                                         {.text = "e", .is_supervised = true, .ends = true}},
                                        text_frame(t, {}, ""), {});
  EXPECT_EQ(mask(e), ".##..##");
}

// The second turn in llama2's template: <s> a b </s> <s> c d </s>.
TEST(EncodeParts, APartThatBeginsHasItsOwnBeginToken) {
  const Tokenizer t = tokenizer(TokenizerStyle::llama);
  const EncodedExample e = encode_parts(t,
                                        {{.text = "a"},
                                         {.text = "b", .is_supervised = true, .ends = true},
                                         {.text = "c", .begins = true},
                                         {.text = "d", .is_supervised = true, .ends = true}},
                                        text_frame(t, {}, ""), {});
  EXPECT_EQ(e.ids, (std::vector<int32_t>{0, id_of_character('a'), id_of_character('b'), 1, 0,
                                         id_of_character('c'), id_of_character('d'), 1}));
  EXPECT_EQ(mask(e), "..##..##");
  EXPECT_EQ(e.prompt, 2);
}

TEST(EncodeParts, LossOnAllExcludesOnlyTheFirstToken) {
  const Tokenizer t = tokenizer(TokenizerStyle::gpt2);
  EXPECT_EQ(mask(encode_parts(t, kPair, text_frame(t, {}, ""), {.learns_all = true})), ".#####");
  // Without a prompt nothing precedes the completion, so its first token cannot be predicted.
  EXPECT_EQ(mask(encode_parts(t, {{.text = "ab", .is_supervised = true, .ends = true}},
                              text_frame(t, {}, ""), {})),
            ".##");
}

TEST(CutPrompt, TruncatesOnTheLeftAfterTheBeginToken) {
  const Tokenizer t = tokenizer(TokenizerStyle::llama);
  const TextFrame frame = text_frame(t, {}, "");
  EncodedExample e = encode_parts(t, kPair, frame, {});  // <s> a b _ c d </s>
  ASSERT_TRUE(truncate_prompt(e, frame, 5));
  EXPECT_EQ(e.ids, joined(joined({0}, ids_of_characters(" cd")), {1}));
  EXPECT_EQ(mask(e), "..###");
  EXPECT_EQ(e.prompt, 2);
  EXPECT_TRUE(e.truncated);
  EncodedExample tight = encode_parts(t, kPair, frame, {});
  EXPECT_TRUE(truncate_prompt(tight, frame, 4));  // the whole prompt except <s>
  EncodedExample never = encode_parts(t, kPair, frame, {});
  EXPECT_FALSE(truncate_prompt(never, frame, 3));
  EXPECT_EQ(never.ids.size(), 7u);
}

TEST(CutPrompt, KeepsOneTokenBeforeTheAnswer) {
  const Tokenizer t = tokenizer(TokenizerStyle::gpt2);
  const TextFrame frame = text_frame(t, {}, "");
  EncodedExample e = encode_parts(t, kPair, frame, {.learns_all = true});  // a b _ c d <end>
  EXPECT_TRUE(truncate_prompt(e, frame, 4));
  EXPECT_EQ(mask(e), ".###");
  EXPECT_FALSE(truncate_prompt(e, frame, 3));
}

TEST(EncodePartsSet, RejectsDropsOrTruncatesLongExamples) {
  const Tokenizer t = tokenizer(TokenizerStyle::gpt2);
  const TextFrame frame = text_frame(t, {}, "");
  DataSet set{.name = "train", .source = "data.jsonl"};
  set.examples.push_back({.id = 0, .line = 1, .parts = kPair});
  set.examples.push_back(
      {.id = 1,
       .line = 4,
       .parts = {{.text = "a"}, {.text = "bcdefg", .is_supervised = true, .ends = true}}});
  const auto encode = [&](int64_t length, TooLong too_long) {
    return encode_parts_set(t, set, frame, {.max_length = length, .too_long = too_long});
  };
  EXPECT_EQ(encode(8, TooLong::reject).examples.size(), 2u);
  const EncodedExamples dropped = encode(6, TooLong::drop);
  EXPECT_EQ(dropped.examples.size(), 1u);
  ASSERT_EQ(dropped.notes.size(), 1u);
  contains(dropped.notes[0], "1 of 2 examples of train are longer than task.max_length 6");
  contains(user_error([&] { encode(7, TooLong::reject); }), "data.jsonl:4: has 8 tokens");
  contains(user_error([&] { encode(5, TooLong::truncate_prompt); }), "Answers are never truncated");
  set.examples.pop_back();
  EXPECT_TRUE(encode(5, TooLong::truncate_prompt).examples[0].truncated);
}

}  // namespace
}  // namespace mixtune::test
