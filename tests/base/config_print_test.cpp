#include <gtest/gtest.h>

#include <limits>

#include "base/config_json.h"
#include "base/example_config.h"

namespace mixtune::test {
namespace {

TEST(ToYaml, GivesEachValueItsOrigin) {
  RunConfig run;
  const Origins origins =
      apply_text(run, "\nmethod: {name: lora,\n alpha: 0.1}", {"train.steps=3"});
  EXPECT_EQ(to_yaml(run, origins),
            "method:\n"
            "  name: lora  # a.yaml:2\n"
            "  rank: 8  # default\n"
            "  alpha: 0.1  # a.yaml:3\n"
            "  dropout: 0  # default\n"
            "  targets: [query, value]  # default\n"
            "  layers: null  # default\n"
            "  rank_pattern: {}  # default\n"
            "start: null  # default\n"
            "train:\n"
            "  seed: 0  # default\n"
            "  steps: 3  # command line\n"
            "  clip: 1  # default\n"
            "  learning_rate: 0.0005  # default\n"
            "  betas: [0.9, 0.999]  # default\n"
            "output: \"runs/{task}-{method}\"  # default\n"
            "note: null  # default\n"
            "cache: null  # default\n"
            "scale: null  # default\n"
            "tags: null  # default\n"
            "factors: {}  # default\n");
}

TEST(ToYaml, IsReadBackAsTheSameConfig) {
  RunConfig run;
  apply_text(run,
             "method:\n  name: mixture\n  scope: [1, 2]\n  balance: {weight: 0.1}\n"
             "  losses: [{weight: 3}, {per_layer: true}]\n  parts: [full, {name: lora, rank: 2}]\n"
             "  over: {name: mixture, scope: 4, over: full}\nstart: full\n");
  run.train.learning_rate = 0.1 + 0.2;
  run.train.clip = std::numeric_limits<double>::infinity();
  run.train.betas = {1.0 / 3, std::numeric_limits<double>::denorm_min(), 0.99999999999999989};
  run.train.seed = std::numeric_limits<int64_t>::min();
  run.output = "a \"b\"\\ # c: d\n\te\x01 \xc3\xa9";
  run.tags = {
      {"", "null", "~", "true", "8", "1e3", "-x", "a, b", "[", "...", " pad ", "no", "a:b"}};
  run.note = "null";
  run.cache = false;
  run.scale = -0.0;
  run.factors = {{"", 1}, {"a.b", 2e-300}, {"1", 3}, {"x: y", -1e300}};
  const std::string printed = to_yaml(run);
  RunConfig again;
  again.factors = {{"stays?", 1}};
  again.note = "default";
  ConfigLayers layers;
  layers.add_text(printed, "printed.yaml");
  layers.apply(again);
  EXPECT_EQ(to_yaml(again), printed);
  EXPECT_EQ(again.train.learning_rate, run.train.learning_rate);
  EXPECT_EQ(again.train.betas, run.train.betas);
  EXPECT_EQ(again.train.seed, run.train.seed);
  EXPECT_EQ(again.output, run.output);
  EXPECT_EQ(again.tags, run.tags);
  EXPECT_EQ(again.note, run.note);
  EXPECT_EQ(again.factors, run.factors);
  EXPECT_EQ(to_json(again), to_json(run));
}

TEST(ToYaml, OfUnsetOptionsClearsTheDefaultsThatAreNotNull) {
  RunConfig run;
  run.train.betas = {};
  RunConfig again;
  again.start = {"lora", std::make_shared<LoraConfig>()};
  again.train.steps = 5;
  again.tags = {{"a"}};
  apply_text(again, to_yaml(run));
  EXPECT_EQ(again.start.name, "");
  EXPECT_EQ(again.train.steps, std::nullopt);
  EXPECT_EQ(again.tags, std::nullopt);
  EXPECT_TRUE(again.train.betas.empty());
}

TEST(ToJson, HasTheSameTree) {
  RunConfig run;
  apply_text(run, "method: {name: mixture, losses: [{weight: 3}], over: full}");
  const Json json = to_json(run);
  EXPECT_EQ(json.at("method").at("name"), "mixture");
  EXPECT_EQ(json.at("method").at("losses").at(0).at("weight"), 3.0);
  EXPECT_EQ(json.at("method").at("over"), Json({{"name", "full"}}));
  EXPECT_TRUE(json.at("start").is_null());
  EXPECT_EQ(json.at("train").at("seed"), 0);
}

TEST(Describe, ListsKeyTypeRangeDefaultAndHelp) {
  const std::string text = describe(LoraConfig());
  EXPECT_EQ(text.substr(0, text.find("  alpha")),
            "  rank          whole number: 1 to 65536 (default 8)\n"
            "                Rank of the update.\n");
  EXPECT_NE(text.find("  layers        list of whole numbers or null: at least 0 (default null)\n"),
            std::string::npos);
}

TEST(Describe, FollowsChoicesAndLists) {
  RunConfig run;
  run.method = {"mixture", std::make_shared<MixtureConfig>()};
  const std::string text = describe(run);
  for (const char* key :
       {"  method.top_k ", "  method.balance.weight ", "  method.losses.0.per_layer ",
        "choice: full, lora, mixture (default mixture)",
        "choice or null: full, lora, mixture (default null)"})
    EXPECT_NE(text.find(key), std::string::npos) << key << "\n" << text;
}

TEST(ForEachChoice, GivesEachKeyItsTable) {
  std::vector<std::string> found;
  const auto find_in = [&](const Config& config) {
    found.clear();
    for_each_choice(config, [&](const std::string& key, const ChoiceTable& table) {
      found.push_back(key + " " + table.names().front());
    });
    return found;
  };
  EXPECT_EQ(find_in(RunConfig()), (std::vector<std::string>{"method full", "start full"}));
  EXPECT_EQ(find_in(MixtureConfig()), (std::vector<std::string>{"over full", "parts full"}));
}

TEST(Describe, PrintsATableForTheDocuments) {
  const std::string text = describe_markdown(LoraConfig());
  EXPECT_EQ(text.substr(0, text.find("| `alpha`")),
            "| option | type | default | allowed | meaning |\n|---|---|---|---|---|\n"
            "| `rank` | whole number | `8` | 1 to 65536 | Rank of the update. |\n");
}

}  // namespace
}  // namespace mixtune::test
