#include "files/peft_config.h"

#include <gtest/gtest.h>

#include "files/raw_file.h"

namespace mixtune::test {
namespace {

PeftLoraConfig parse(const std::string& body) {
  return parse_peft_config("{\"peft_type\": \"LORA\"" + (body.empty() ? "" : ", " + body) + "}",
                           "f");
}

std::string error_of_config(const std::string& body) {
  TemporaryFolder folder;
  return error_line(folder, [&] { parse(body); });
}

// A config as saved by PEFT 0.15.
const char* const kSaved = R"({
  "alpha_pattern": {},
  "auto_mapping": null,
  "base_model_name_or_path": "roberta-base",
  "bias": "none",
  "corda_config": null,
  "eva_config": null,
  "exclude_modules": null,
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "layer_replication": null,
  "layers_pattern": null,
  "layers_to_transform": null,
  "loftq_config": {},
  "lora_alpha": 16,
  "lora_bias": false,
  "lora_dropout": 0.1,
  "megatron_config": null,
  "megatron_core": "megatron.core",
  "modules_to_save": ["classifier", "score"],
  "peft_type": "LORA",
  "r": 8,
  "rank_pattern": {},
  "revision": null,
  "target_modules": ["value", "query"],
  "task_type": "SEQ_CLS",
  "trainable_token_indices": null,
  "use_dora": false,
  "use_rslora": true
})";

TEST(PeftConfig, ReadsWhatPeftSaves) {
  const PeftLoraConfig config = parse_peft_config(kSaved, "f");
  EXPECT_EQ(config.r, 8);
  EXPECT_EQ(config.lora_alpha, 16);
  EXPECT_EQ(config.lora_dropout, 0.1);
  EXPECT_TRUE(config.use_rslora);
  EXPECT_FALSE(config.use_dora);
  EXPECT_EQ(config.target_modules, (std::vector<std::string>{"value", "query"}));
  EXPECT_EQ(config.modules_to_save, (std::vector<std::string>{"classifier", "score"}));
  EXPECT_EQ(config.layers_to_transform, std::nullopt);
  EXPECT_EQ(config.task_type, "SEQ_CLS");
  EXPECT_EQ(config.base_model_name_or_path, "roberta-base");
  EXPECT_TRUE(config.unknown_keys.empty());
}

TEST(PeftConfig, HasPeftsDefaults) {
  const PeftLoraConfig config = parse("");
  EXPECT_EQ(config.r, 8);
  EXPECT_EQ(config.lora_alpha, 8);
  EXPECT_EQ(config.lora_dropout, 0);
  EXPECT_EQ(config.bias, "none");
  EXPECT_TRUE(config.target_modules.empty() && config.target_pattern.empty());
}

TEST(PeftConfig, KeepsTheOrderOfPatterns) {
  const PeftLoraConfig config = parse(
      "\"rank_pattern\": {\"z.*\": 2, \"a\": 3, \"m\": 4}, \"alpha_pattern\": {\"q\": 1.5, \"b\": "
      "2}");
  EXPECT_EQ(config.rank_pattern,
            (std::vector<std::pair<std::string, int64_t>>{{"z.*", 2}, {"a", 3}, {"m", 4}}));
  EXPECT_EQ(config.alpha_pattern,
            (std::vector<std::pair<std::string, double>>{{"q", 1.5}, {"b", 2}}));
  const PeftLoraConfig again = parse_peft_config(print_peft_config(config), "f");
  EXPECT_EQ(again.rank_pattern, config.rank_pattern);
  EXPECT_EQ(again.alpha_pattern, config.alpha_pattern);
}

TEST(PeftConfig, AcceptsPatternsAndSingleLayers) {
  EXPECT_EQ(parse("\"target_modules\": \".*q\"").target_pattern, ".*q");
  EXPECT_EQ(parse("\"target_modules\": \"all-linear\"").target_pattern, "all-linear");
  EXPECT_EQ(parse("\"layers_to_transform\": 3").layers_to_transform, (std::vector<int64_t>{3}));
  EXPECT_EQ(parse("\"layers_to_transform\": [3, 0]").layers_to_transform,
            (std::vector<int64_t>{3, 0}));
  EXPECT_EQ(parse("\"layers_to_transform\": []").layers_to_transform, std::nullopt);
  EXPECT_EQ(parse("\"layers_pattern\": \"h\"").layers_pattern, (std::vector<std::string>{"h"}));
  EXPECT_EQ(parse("\"layers_pattern\": [\"h\", \"g\"]").layers_pattern,
            (std::vector<std::string>{"h", "g"}));
}

TEST(PeftConfig, ListsUnknownKeysThatAreSet) {
  EXPECT_EQ(
      parse("\"new\": 1, \"old\": null, \"off\": false, \"none\": {}, \"also\": [0]").unknown_keys,
      (std::vector<std::string>{"new", "also"}));
}

TEST(PeftConfig, RejectsFieldsThatWouldChangeTheResult) {
  for (const char* key :
       {"target_parameters", "layer_replication", "trainable_token_indices",
        "alora_invocation_tokens", "use_qalora", "use_bdlora", "arrow_config", "kasa_config",
        "velora_config", "monteclora_config", "corda_config", "eva_config", "lora_ga_config",
        "megatron_config", "loftq_config", "ensure_weight_tying"}) {
    const std::string quoted = '"' + std::string(key) + "\": ";
    EXPECT_EQ(error_of_config(quoted + "true"),
              "f: " + std::string(key) +
                  " is set, which mixtune does not support. Merge the "
                  "adapter into its base with PEFT and use "
                  "the merged model.");
    EXPECT_NE(error_of_config(quoted + "[1]"), "no error");
    EXPECT_NE(error_of_config(quoted + "{\"a\": 1}"), "no error");
    for (const char* unset : {"null", "false", "[]", "{}"})
      EXPECT_EQ(error_of_config(quoted + unset), "no error");
  }
}

TEST(PeftConfig, RejectsInitializationsThatChangeTheBase) {
  for (const char* name : {"pissa", "pissa_niter_16", "olora", "loftq", "corda", "lora_ga"})
    EXPECT_NE(error_of_config("\"init_lora_weights\": \"" + std::string(name) + "\"")
                  .find("changes the base"),
              std::string::npos);
  for (const char* value : {"true", "false", "\"gaussian\"", "\"eva\"", "\"orthogonal\"", "null"})
    EXPECT_EQ(error_of_config("\"init_lora_weights\": " + std::string(value)), "no error");
}

TEST(PeftConfig, RejectsWrongValues) {
  const auto rejects = [](const std::string& body, const std::string& part) {
    const std::string line = error_of_config(body);
    EXPECT_NE(line.find(part), std::string::npos) << body << " gave: " << line;
  };
  rejects("\"r\": 0", "r is 0; expected a whole number from 1");
  rejects("\"r\": 8.5", "r is 8.5; expected a whole number from 1");
  rejects("\"r\": \"8\"", "r is \"8\"; expected a whole number");
  rejects("\"r\": 18446744073709551615", "expected a whole number");
  rejects("\"lora_alpha\": \"x\"", "lora_alpha is \"x\"; expected a number");
  rejects("\"lora_dropout\": 1", "expected at least 0 and below 1");
  rejects("\"use_dora\": 1", "use_dora is 1; expected true or false");
  rejects("\"bias\": \"some\"", "expected none, all or lora_only");
  rejects("\"target_modules\": [1]", "expected a list of names or null");
  rejects("\"target_modules\": {}", "expected a list of names or null");
  rejects("\"modules_to_save\": \"x\"", "expected a list of names or null");
  rejects("\"layers_to_transform\": -1", "expected a layer");
  rejects("\"layers_to_transform\": [0.5]", "expected a layer");
  rejects("\"rank_pattern\": []", "expected a map of patterns to ranks");
  rejects("\"rank_pattern\": {\"a\": 0}", "expected whole numbers from 1");
  rejects("\"alpha_pattern\": {\"a\": null}", "expected numbers");
  rejects("\"task_type\": 3", "expected a string or null");
  rejects("\"r\": 4, \"r\": 8", "repeats the key \"r\"");
}

TEST(PeftConfig, RejectsOtherAdaptersAndOtherFiles) {
  TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    return error_line(folder, [&] { parse_peft_config(text, "f"); });
  };
  EXPECT_EQ(error("{\"peft_type\": \"IA3\"}"),
            "f: peft_type is \"IA3\"; expected \"LORA\". Save the adapter again with a released "
            "version of PEFT.");
  EXPECT_EQ(error("{}").substr(0, 21), "f: has no peft_type; ");
  EXPECT_EQ(error("[]").substr(0, 23), "f: is not a JSON object");
  EXPECT_EQ(error("{").substr(0, 5), "f:1:2");
  EXPECT_NE(error(std::string(100'000, '[')), "no error");
  EXPECT_NE(error(""), "no error");
}

TEST(PeftConfig, WritesTheStableSetSorted) {
  PeftLoraConfig config;
  config.r = 4;
  config.lora_alpha = 16;
  config.target_modules = {"query", "value"};
  config.modules_to_save = {"classifier"};
  config.task_type = "SEQ_CLS";
  config.layers_to_transform = {{0, 2}};
  config.rank_pattern = {{"b", 2}, {"a", 3}};
  TemporaryFolder folder;
  write_peft_config(folder / "adapter_config.json", config);
  EXPECT_EQ(read_file(folder / "adapter_config.json"),
            R"({
  "alpha_pattern": {},
  "auto_mapping": null,
  "base_model_name_or_path": null,
  "bias": "none",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "layers_pattern": null,
  "layers_to_transform": [
    0,
    2
  ],
  "lora_alpha": 16,
  "lora_dropout": 0.0,
  "modules_to_save": [
    "classifier"
  ],
  "peft_type": "LORA",
  "r": 4,
  "rank_pattern": {
    "b": 2,
    "a": 3
  },
  "revision": null,
  "target_modules": [
    "query",
    "value"
  ],
  "task_type": "SEQ_CLS",
  "use_dora": false,
  "use_rslora": false
}
)");
  const PeftLoraConfig again = read_peft_config(folder / "adapter_config.json");
  EXPECT_EQ(print_peft_config(again), print_peft_config(config));
}

}  // namespace
}  // namespace mixtune::test
