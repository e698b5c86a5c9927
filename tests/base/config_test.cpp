#include "base/config.h"

#include <gtest/gtest.h>

#include "base/example_config.h"
#include "base/file.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

TEST(ConfigLayers, ReadsEveryTypeFromYaml) {
  RunConfig run;
  apply_text(run,
             "method:\n  name: lora\n  rank: 4\n  alpha: 1e3\n  targets: [key, \"ffn up\"]\n"
             "  layers: [0, 2]\n  rank_pattern: {query: 2, value: 3}\n"
             "train: {seed: -7, steps: 10, learning_rate: 5e-4, betas: [0, .5]}\n"
             "output: \"a # b\"\nnote: 12\ncache: true\nscale: 2\ntags: []\nfactors: {a: 1}\n");
  const auto& lora = chosen<LoraConfig>(run.method);
  EXPECT_EQ(lora.rank, 4);
  EXPECT_EQ(lora.alpha, 1000.0);
  EXPECT_EQ(lora.targets, (std::vector<std::string>{"key", "ffn up"}));
  EXPECT_EQ(lora.layers, (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(lora.rank_pattern, (std::map<std::string, int64_t>{{"query", 2}, {"value", 3}}));
  EXPECT_EQ(run.train.seed, -7);
  EXPECT_EQ(run.train.steps, 10);
  EXPECT_EQ(run.train.learning_rate, 5e-4);
  EXPECT_EQ(run.train.betas, (std::vector<double>{0, 0.5}));
  EXPECT_EQ(run.output, "a # b");
  EXPECT_EQ(run.note, "12");
  EXPECT_EQ(run.cache, true);
  EXPECT_EQ(run.scale, 2.0);
  EXPECT_EQ(run.tags, std::vector<std::string>{});
  EXPECT_EQ(run.factors, (std::map<std::string, double>{{"a", 1}}));
}

TEST(ConfigLayers, LaterLayersWinAndMapsMerge) {
  RunConfig run;
  ConfigLayers layers;
  layers.add_text("method: {rank: 4, alpha: 2, rank_pattern: {query: 1, key: 1}}\ntrain: {seed: 1}",
                  "a.yaml");
  layers.add_text("method: {rank: 6, rank_pattern: {key: 2}}\ntrain: {clip: 3}", "b.yaml");
  layers.add_override("method.rank=7");
  layers.add_override("method.rank=9");
  layers.apply(run);
  const auto& lora = chosen<LoraConfig>(run.method);
  EXPECT_EQ(lora.rank, 9);
  EXPECT_EQ(lora.alpha, 2);
  EXPECT_EQ(lora.rank_pattern, (std::map<std::string, int64_t>{{"query", 1}, {"key", 2}}));
  EXPECT_EQ(run.train.seed, 1);
  EXPECT_EQ(run.train.clip, 3);
}

TEST(ConfigLayers, AnEmptyMapClearsTheValuesOfEarlierLayers) {
  RunConfig run;
  ConfigLayers layers;
  layers.add_text("train: {seed: 5}\nfactors: {a: 1}\nmethod: {rank: 2}", "a.yaml");
  layers.add_text("train: {}\nfactors: {}\nmethod: {}", "b.yaml");
  layers.apply(run);
  EXPECT_EQ(run.train.seed, 0);
  EXPECT_TRUE(run.factors.empty());
  EXPECT_EQ(chosen<LoraConfig>(run.method).rank, 8);
}

TEST(ConfigLayers, AKeyWithoutAValueChangesNothing) {
  RunConfig run;
  apply_text(run, "train:\n  # seed: 5\n", {"train.seed=3"});
  EXPECT_EQ(run.train.seed, 3);
  apply_text(run, "");
}

TEST(ConfigLayers, TypedStringsKeepEveryCharacter) {
  RunConfig run;
  apply_text(run, "", {"output=a: b # {c}", "note=*x [", "tags=[a, b]"});
  EXPECT_EQ(run.output, "a: b # {c}");
  EXPECT_EQ(run.note, "*x [");
  EXPECT_EQ(run.tags, (std::vector<std::string>{"a", "b"}));
  apply_text(run, "", {"output=\"8 \"", "note=null", "tags=~"});
  EXPECT_EQ(run.output, "8 ");
  EXPECT_EQ(run.note, std::nullopt);
  EXPECT_EQ(run.tags, std::nullopt);
  apply_text(run, "", {"output=", "note=a=b"});
  EXPECT_EQ(run.output, "");
  EXPECT_EQ(run.note, "a=b");
}

TEST(ConfigLayers, AStringWithACheckAcceptsNumbersAndLists) {
  RunConfig run;
  const auto scope = [&](const std::string& value) {
    apply_text(run, "method: {name: mixture, scope: " + value + "}");
    return chosen<MixtureConfig>(run.method).scope;
  };
  EXPECT_EQ(scope("all"), "all");
  EXPECT_EQ(scope("4"), "4");
  EXPECT_EQ(scope("[0,  2]"), "[0, 2]");
  apply_text(run, "", {"method.scope=[0,  2]"});
  EXPECT_EQ(chosen<MixtureConfig>(run.method).scope, "[0, 2]");
  EXPECT_EQ(error_of("method: {name: mixture, scope: some}"),
            "a.yaml:1: method.scope is some; expected all, a number or a list such as [0, 2]. "
            "Layers: all, a number of them or a list.");
}

TEST(Choice, IsReadByNameAloneOrWithItsOptions) {
  RunConfig run;
  apply_text(run, "method: full\nstart: {name: lora, rank: 2}");
  EXPECT_EQ(run.method.name, "full");
  EXPECT_NE(dynamic_cast<FullConfig*>(run.method.config.get()), nullptr);
  EXPECT_EQ(chosen<LoraConfig>(run.start).rank, 2);
}

TEST(Choice, DropsEarlierOptionsWhenTheNameChangesAndMergesWhenItDoesNot) {
  RunConfig run;
  ConfigLayers layers;
  layers.add_text("method: {name: mixture, experts: 8, over: {name: lora, rank: 2, alpha: 3}}",
                  "a.yaml");
  layers.add_text("method: {name: mixture, over: {rank: 5}}", "b.yaml");
  layers.add_override("method=mixture");
  layers.apply(run);
  const auto& mixture = chosen<MixtureConfig>(run.method);
  EXPECT_EQ(mixture.experts, 8);
  EXPECT_EQ(chosen<LoraConfig>(mixture.over).rank, 5);
  EXPECT_EQ(chosen<LoraConfig>(mixture.over).alpha, 3);

  layers.add_text("method: {name: lora, rank: 3}", "c.yaml");
  layers.add_override("method.alpha=1");
  layers.apply(run);
  EXPECT_EQ(chosen<LoraConfig>(run.method).rank, 3);
  EXPECT_EQ(chosen<LoraConfig>(run.method).alpha, 1);

  layers.add_override("method.name=full");
  layers.apply(run);
  EXPECT_EQ(run.method.name, "full");
}

TEST(Choice, MayBeNullOnlyWhereItIsOptional) {
  RunConfig run;
  apply_text(run, "start: lora", {"start=null"});
  EXPECT_EQ(run.start.name, "");
  EXPECT_EQ(run.start.config, nullptr);
  EXPECT_EQ(error_of("\nmethod: null"),
            "a.yaml:2: method is not set; expected one of: full, lora, mixture. What is trained.");
  EXPECT_EQ(error_of("start: {rank: 2}"),
            "a.yaml:1: start has no name; expected one of: full, lora, mixture. Where it starts.");
}

TEST(Choice, RejectsAnUnknownNameWithTheNearestOne) {
  EXPECT_EQ(error_of("method: loar"),
            "a.yaml:1: method is loar, which is unknown; expected one of: full, lora, mixture. "
            "Did you mean lora?");
  EXPECT_EQ(
      error_of("method: {name: [lora]}"),
      "a.yaml:1: method.name is [lora]; expected one of: full, lora, mixture. What is trained.");
}

TEST(Lists, OfOptionsAreReplacedAndChangedByIndex) {
  RunConfig run;
  apply_text(
      run,
      "method:\n  name: mixture\n  losses:\n    - weight: 1\n    - {weight: 2, per_layer: true}\n"
      "  parts: [lora, {name: lora, rank: 2}]\n",
      {"method.losses.1.weight=3", "method.parts.0.rank=5", "method.parts.1=full"});
  const auto& mixture = chosen<MixtureConfig>(run.method);
  ASSERT_EQ(mixture.losses.size(), 2u);
  EXPECT_EQ(mixture.losses[0].weight, 1);
  EXPECT_EQ(mixture.losses[1].weight, 3);
  EXPECT_TRUE(mixture.losses[1].per_layer);
  ASSERT_EQ(mixture.parts.size(), 2u);
  EXPECT_EQ(chosen<LoraConfig>(mixture.parts[0]).rank, 5);
  EXPECT_EQ(mixture.parts[1].name, "full");
  EXPECT_EQ(
      error_of("method: {name: mixture, losses: [{weight: 1}]}", {"method.losses.1.weight=3"}),
      "command line: method.losses.1 does not exist; method.losses has 1 items, counted from 0. "
      "Use an index of the list, or give the whole list.");
  EXPECT_EQ(
      error_of("method: {name: mixture, losses: 3}"),
      "a.yaml:1: method.losses is 3; expected a list. Write it as [...] or as lines that begin "
      "with '-'.");
}

TEST(ConfigErrors, NameTheUnknownKeyItsLineAndTheNearestKey) {
  EXPECT_EQ(error_of("train:\n  seed: 1\n  stesp: 4\n"),
            "a.yaml:3: train.stesp is unknown. Did you mean steps?");
  EXPECT_EQ(error_of("", {"method.rnak=4"}),
            "command line: method.rnak is unknown. Did you mean rank?");
  EXPECT_EQ(error_of("zzzzzzzz: 1").substr(0, 40), "a.yaml:1: zzzzzzzz is unknown. Known: me");
}

TEST(ConfigErrors, NameTheValueAndItsRange) {
  EXPECT_EQ(error_of("train:\n  clip: -1"),
            "a.yaml:2: train.clip is -1; expected above 0. Maximum gradient norm.");
  EXPECT_EQ(error_of("", {"method.rank=0"}),
            "command line: method.rank is 0; expected 1 to 65536. Rank of the update.");
  EXPECT_EQ(
      error_of("method: {dropout: 1}"),
      "a.yaml:1: method.dropout is 1; expected at least 0 and below 1. Dropout on the input.");
  EXPECT_EQ(error_of("method: {layers: [0,\n -1]}"),
            "a.yaml:2: method.layers is -1; expected at least 0. Layers to adapt; null: all.");
  EXPECT_EQ(error_of("method: {name: mixture, gate: square}"),
            "a.yaml:1: method.gate is square; expected linear or cosine. Gate type.");
}

TEST(ConfigErrors, RejectWrongTypes) {
  const auto rejects = [](const std::string& yaml, const std::string& part) {
    const std::string line = error_of(yaml);
    EXPECT_NE(line.find(part), std::string::npos) << yaml << " gave: " << line;
  };
  rejects("train: {seed: 1.5}", "is 1.5; expected whole number");
  rejects("train: {seed: 1e3}", "is 1e3; expected whole number");
  rejects("train: {seed: \"8\"}", "is \"8\" in quotes; expected whole number");
  rejects("train: {seed: 99999999999999999999}", "expected whole number");
  rejects("train: {seed: null}", "is null; expected whole number");
  rejects("train: {seed: [1]}", "is [1]; expected whole number");
  rejects("train: {clip: much}", "is much; expected number, above 0");
  rejects("train: {clip: nan}", "is nan; expected number");
  rejects("train: {clip: 1e999}", "expected number");
  rejects("train: {betas: 0.9}", "is 0.9; expected list of numbers");
  rejects("train: 4", "train is 4; expected a map of options");
  rejects("train: [4]", "train is [4]; expected a map of options");
  rejects("cache: yes", "is yes; expected true or false, or null");
  rejects("cache: True", "expected true or false");
  rejects("output: null", "is null; expected string");
  rejects("output: [a]", "is [a]; expected string");
  rejects("factors: [1]", "is [1]; expected map of names to numbers");
  rejects("factors: {a: b}", "is b; expected map of names to numbers");
  rejects("tags: {a: b}", "expected list of strings or null");
  rejects("- 4", "the config is [4]; expected a map of options");
}

TEST(ConfigErrors, CountTheOtherProblems) {
  EXPECT_EQ(error_of("train: {clip: 0, sede: 1}\nouput: x"),
            "a.yaml:1: train.clip is 0; expected above 0. Maximum gradient norm. (and 2 more)");
}

TEST(ConfigErrors, IncludeProblemsOfTwoFieldsTogether) {
  EXPECT_EQ(
      error_of("method:\n  name: mixture\n  top_k: 9\n"),
      "a.yaml:3: method.top_k is 9; expected 1 to 4 (experts). Lower top_k or raise experts.");
  EXPECT_EQ(error_of("method:\n  name: mixture\n  experts: 1\n").substr(0, 22),
            "config: method.top_k i");
}

TEST(ConfigErrors, RejectArgumentsThatAreNotAssignments) {
  for (const char* text : {"train", "=3", ".a=3", "a.=3", "a..b=3", ""})
    EXPECT_NE(error_of("", {text}).find("expected key=value"), std::string::npos) << text;
}

TEST(ConfigLayers, ReportTheOriginOfEachValue) {
  TemporaryFolder folder;
  const std::string file = (folder / "lora.yaml").string();
  write_file_atomically(file, "method:\n  name: lora\n  targets:\n    - key\n  alpha: 2\n");
  ConfigLayers layers;
  layers.add_file(file);
  layers.add_override("method.alpha=3");
  RunConfig run;
  const Origins origins = layers.apply(run);
  EXPECT_EQ(origins, (Origins{{"method.name", file + ":2"},
                              {"method.targets", file + ":3"},
                              {"method.alpha", "command line"}}));
  EXPECT_THROW(layers.add_file(folder / "absent.yaml"), UserError);
}

}  // namespace
}  // namespace mixtune::test
