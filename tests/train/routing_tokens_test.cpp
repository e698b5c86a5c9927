// Tokens that determine the routing of a sequence are not supervised.
#include "train/routing_tokens.h"

#include "tiny_language.h"
#include "train/session.h"

namespace mixtune::test {
namespace {

EncodedExample text_of(int64_t tokens, std::vector<TokenSpan> supervised, int64_t prompt = 0) {
  EncodedExample out;
  out.ids.assign(static_cast<size_t>(tokens), 1);
  out.supervised = std::move(supervised);
  out.prompt = prompt;
  return out;
}

TEST(RoutingTokens, AreNotSupervisedInSequencesWithoutAPrompt) {
  EncodedExamples encoded;
  encoded.examples = {text_of(9, {{1, 9}}),    text_of(9, {{1, 3}, {3, 6}, {7, 9}}),
                      text_of(4, {{1, 4}}),    text_of(9, {{2, 9}}, 2),
                      text_of(9, {{1, 9}}, 2), text_of(9, {})};
  exclude_routing_tokens(encoded, 4);
  ASSERT_EQ(encoded.examples.size(), 5u);
  EXPECT_EQ(encoded.examples[0].supervised_tokens(), 5);
  EXPECT_EQ(encoded.examples[0].supervised.at(0).begin, 4);
  ASSERT_EQ(encoded.examples[1].supervised.size(), 2u);
  EXPECT_EQ(encoded.examples[1].supervised[0].begin, 4);
  EXPECT_EQ(encoded.examples[1].supervised[1].begin, 7);
  EXPECT_EQ(encoded.examples[2].supervised_tokens(), 7);  // it has a prompt
  EXPECT_EQ(encoded.examples[3].supervised_tokens(), 7);  // its prompt was supervised
  EXPECT_EQ(encoded.examples[4].supervised_tokens(), 0);  // for a classifier
  ASSERT_EQ(encoded.notes.size(), 1u);
  contains(encoded.notes[0], "10 tokens determine the routing of their sequence");
  contains(encoded.notes[0], "1 sequences have no other supervised tokens");

  exclude_routing_tokens(encoded, 0);
  EXPECT_EQ(encoded.examples[0].supervised_tokens(), 5);
}

// The first supervised token of any chunk of plain text, over the sets of a session.
int64_t first_supervised(const LanguageWorld& world, const std::string& method) {
  Recorder recorder;
  const auto session = open_session(world.config("run", "lm", {"method=" + method}), {}, recorder);
  int64_t first = std::numeric_limits<int64_t>::max();
  for (const EncodedExample& example : session->train.examples)
    first = std::min(first, example.supervised.at(0).begin);
  for (const EncodedSet& set : session->evaluation)
    for (const EncodedExample& example : set.examples)
      first = std::min(first, example.supervised.at(0).begin);
  return first;
}

TEST(RoutingTokens, DependOnTheMethod) {
  const LanguageWorld world("gpt2");
  EXPECT_EQ(first_supervised(world, "{name: lora}"), 1);
  EXPECT_EQ(first_supervised(world, "{name: molex}"), 16);
  EXPECT_EQ(first_supervised(world, "{name: molex, prompt_tokens: 5}"), 5);
  EXPECT_EQ(first_supervised(world, "{name: molex, control: random}"), 16);
  EXPECT_EQ(first_supervised(world, "{name: molex, control: self}"), 1);
  EXPECT_EQ(first_supervised(world, "{name: mixture}"), 1);
  EXPECT_EQ(first_supervised(world, "{name: mixture, scope: {level: prompt, prompt_tokens: 3}}"),
            3);
  EXPECT_EQ(first_supervised(world, "{name: mixture, site: layer}"), 16);
}

TEST(RoutingTokens, ASetWithoutOtherTokensIsAnError) {
  const LanguageWorld world("gpt2");
  std::ofstream(world.path("short.txt")) << "a tree";
  Recorder recorder;
  const auto open = [&](const std::string& set) {
    return user_error([&] {
      open_for_training(world.config("run", "lm",
                                     {"method={name: molex}", "task.dev_share=null",
                                      "task." + set + "=" + world.path("short.txt").string()}),
                        recorder);
    });
  };
  for (const std::string set : {"train", "dev"}) {
    contains(open(set), "determine the routing of their sequence");
    contains(open(set), "lower prompt_tokens of the method");
  }
}

}  // namespace
}  // namespace mixtune::test
