#include "moe/targets.h"

#include "support/hand_made_linear.h"

namespace mixtune::test {
namespace {

// The modules that lora adapts in a model with two layers, without the common prefix.
std::vector<std::string> adapted(const std::string& yaml) {
  Attached run(tiny_config("bert", 2), "lora", yaml);
  std::vector<std::string> out;
  const std::string prefix = "bert.encoder.layer.";
  for (const AttachedSite& site : run.attachment->table)
    if (site.what.starts_with("low rank")) out.push_back(site.site.substr(prefix.size()));
  return out;
}

using Names = std::vector<std::string>;

TEST(Targets, ARoleSelectsThatLinearOfEveryLayer) {
  EXPECT_EQ(adapted("target_modules: [key]"),
            (Names{"0.attention.self.key", "1.attention.self.key"}));
  EXPECT_EQ(adapted("target_modules: [ffn_up]"),
            (Names{"0.intermediate.dense", "1.intermediate.dense"}));
}

TEST(Targets, AModuleNameMatchesAtADot) {
  EXPECT_EQ(adapted("target_modules: [attention.output.dense]\nlayers_to_transform: [0]"),
            (Names{"0.attention.output.dense"}));
  // "output.dense" is the end of two paths.
  EXPECT_EQ(adapted("target_modules: [output.dense]\nlayers_to_transform: [0]"),
            (Names{"0.attention.output.dense", "0.output.dense"}));
  EXPECT_FALSE(name_matches("dense", "layer.predense"));
  EXPECT_TRUE(name_matches("dense", "layer.dense"));
  EXPECT_TRUE(name_matches("dense", "dense"));
}

TEST(Targets, AnExpressionMatchesTheWholePath) {
  EXPECT_EQ(adapted("target_modules: ['.*layer\\.1\\..*\\.(query|key)']"),
            (Names{"1.attention.self.query", "1.attention.self.key"}));
  EXPECT_FALSE(name_matches("attention.*", "layer.attention.self"));
  EXPECT_THROW(name_matches("(unclosed", "x"), UserError);
}

TEST(Targets, AllLinearSelectsEveryLinearOfTheLayers) {
  EXPECT_EQ(adapted("target_modules: [all-linear]\nlayers_to_transform: [1]").size(), 6u);
}

TEST(Targets, TwoThatSelectOneLinearAdaptItOnce) {
  EXPECT_EQ(adapted("target_modules: [query, attention.self.query]\nlayers_to_transform: [0]"),
            (Names{"0.attention.self.query"}));
}

TEST(Targets, OneThatMatchesNothingIsAnErrorThatNamesTheNearest) {
  try {
    adapted("target_modules: [query, valeu]");
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_EQ(error.where(), "lora.target_modules");
    EXPECT_NE(error.found().find("'valeu'"), std::string::npos) << error.what();
    EXPECT_NE(error.todo().find("Did you mean value?"), std::string::npos) << error.what();
  }
}

std::string todo_of(const std::string& model, const std::string& target) {
  try {
    Attached(tiny_config(model, 1), "lora", "target_modules: [" + target + "]");
  } catch (const UserError& error) {
    return error.todo();
  }
  return "no error";
}

TEST(Targets, TheErrorForNoMatchListsTheTargetsOfThisModel) {
  const std::string ends = ", all-linear, attention, feed-forward, and module names.";
  // A role that only other models have.
  EXPECT_EQ(
      todo_of("gpt2", "ffn_gate"),
      "Did you mean ffn_up? Valid targets: query, key, value, attention_output, ffn_up, ffn_down" +
          ends);
  EXPECT_EQ(
      todo_of("llama", "zzzzzz"),
      "Valid targets: query, key, value, attention_output, ffn_gate, ffn_up, ffn_down" + ends);
}

TEST(Targets, AMalformedExpressionIsAnErrorOfItsOption) {
  for (const std::string option : {"target_modules", "exclude_modules"}) {
    try {
      adapted(option + ": ['*mlp']");
      FAIL() << "no error";
    } catch (const UserError& error) {
      EXPECT_EQ(error.where(), "lora." + option);
      EXPECT_EQ(error.found(), "'*mlp' is not a regular expression");
    }
  }
}

TEST(Targets, TheErrorForAMissingLayerNamesTheExistingOnes) {
  for (const std::string layer : {"2", "-1"}) {
    try {
      adapted("layers_to_transform: [0, " + layer + "]");
      FAIL() << "no error";
    } catch (const UserError& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("layer " + layer), std::string::npos) << text;
      EXPECT_NE(text.find("0 to 1"), std::string::npos) << text;
    }
  }
}

TEST(PatternKeys, MatchTheEndOfAPathAtADot) {
  EXPECT_TRUE(pattern_key_matches("query", "layer.0.query"));
  EXPECT_TRUE(pattern_key_matches("layer\\.[01]\\.query", "encoder.layer.0.query"));
  EXPECT_TRUE(pattern_key_matches("query", "query"));
  EXPECT_FALSE(pattern_key_matches("query", "layer.subquery"));
  EXPECT_FALSE(pattern_key_matches("layer.0", "layer.0.query"));
}

TEST(Targets, AMethodThatAdaptsNothingIsAnError) {
  for (const std::string method : {"lora", "dora", "adalora", "ia3", "houlsby"})
    EXPECT_THROW(Attached(tiny_config("bert", 2), method, "layers_to_transform: []"), UserError)
        << method;
  EXPECT_THROW(adapted("target_modules: []"), UserError);
  EXPECT_THROW(adapted("target_modules: [query]\nexclude_modules: [query]"), UserError);
  EXPECT_THROW(Attached(tiny_config("bert", 2), "houlsby", "layers_to_transform: [2]"), UserError);
}

TEST(Targets, APatternThatMatchesNoAdaptedLinearGivesAWarning) {
  const auto warnings = [](const std::string& pattern) {
    const Attached run(tiny_config("bert", 2), "lora", "target_modules: [query]\n" + pattern);
    return run.attachment->warnings;
  };
  EXPECT_TRUE(warnings("rank_pattern: {query: 3}").empty());
  for (const std::string pattern : {"rank_pattern: {quary: 3}", "alpha_pattern: {value: 2}"}) {
    const std::vector<std::string> found = warnings(pattern);
    ASSERT_EQ(found.size(), 1u) << pattern;
    EXPECT_NE(found[0].find("matches no adapted linear"), std::string::npos) << found[0];
  }
}

}  // namespace
}  // namespace mixtune::test
