#include "adapters/adapter_folder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "adapters/peft_lora.h"
#include "base/file.h"
#include "support/paths.h"

namespace mixtune {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;

AdapterContents lora() {
  AdapterContents out;
  out.method = R"({"name": "lora", "r": 2, "lora_alpha": 16, "lora_dropout": 0.1,
                   "use_rslora": false, "target_modules": ["query"], "layers_to_transform": null,
                   "rank_pattern": {}, "alpha_pattern": {}})";
  out.task = R"({"name": "rte", "max_length": 128})";
  out.labels = {"entailment", "not_entailment"};
  out.head = "pooled";
  const std::string module = "bert.encoder.layer.0.attention.self.query";
  out.tensors = {{module + ".lora_A.weight", at::ones({2, 6})},
                 {module + ".lora_B.weight", at::full({6, 2}, 0.5)},
                 {"bert.encoder.layer.1.output.dense.lora_A.weight", at::ones({3, 6})},
                 {"bert.encoder.layer.1.output.dense.lora_B.weight", at::ones({6, 3})},
                 {"classifier.weight", at::ones({2, 6})},
                 {"classifier.bias", at::zeros({2})}};
  return out;
}

std::string error_of(const fs::path& folder) {
  try {
    load_adapter(folder);
  } catch (const UserError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no UserError";
  return "";
}

TEST(AdapterFolder, IsLoadedAsItWasSaved) {
  const TemporaryFolder folder;
  save_adapter(folder.path(), lora());
  const AdapterContents back = load_adapter(folder.path());
  EXPECT_EQ(Json::parse(back.method), Json::parse(lora().method));
  EXPECT_EQ(Json::parse(back.task), Json::parse(lora().task));
  EXPECT_EQ(back.labels, lora().labels);
  EXPECT_EQ(back.outputs, 2);
  EXPECT_EQ(back.tensors.size(), lora().tensors.size());
  for (const auto& [name, tensor] : lora().tensors)
    EXPECT_TRUE(at::equal(*find_tensor(back.tensors, name), tensor)) << name;
}

TEST(AdapterFolder, WritesAdaLoraAsPeftDoes) {
  AdapterContents contents = lora();
  contents.method = R"({"name": "adalora", "init_r": 2, "target_r": 1, "tinit": 3, "tfinal": 4,
                        "deltaT": 5, "beta1": 0.8, "beta2": 0.9, "lora_alpha": 16,
                        "orth_reg_weight": 0.25, "lora_dropout": 0.1,
                        "target_modules": ["query"]})";
  const std::string module = "bert.encoder.layer.0.attention.self.query";
  contents.tensors = {{module + ".lora_A", at::ones({2, 6})},
                      {module + ".lora_E", at::ones({2, 1})},
                      {module + ".lora_B", at::full({6, 2}, 0.5)}};
  const TemporaryFolder folder;
  save_adapter(folder.path(), contents);
  const Json config = read_json(folder / "adapter_config.json");
  const Json expected = {{"peft_type", "ADALORA"},
                         {"init_r", 2},
                         {"target_r", 1},
                         {"tinit", 3},
                         {"tfinal", 4},
                         {"total_step", 8},
                         {"deltaT", 5},
                         {"beta1", 0.8},
                         {"beta2", 0.9},
                         {"orth_reg_weight", 0.25},
                         {"lora_alpha", 16},
                         {"rank_pattern", nullptr},
                         {"target_modules", Json::array({module})}};
  for (const auto& [key, value] : expected.items()) EXPECT_EQ(config.at(key), value) << key;
  const NamedTensors written = read_tensors(folder / "adapter_model.safetensors");
  EXPECT_NE(find_tensor(written, "base_model.model." + module + ".lora_E"), nullptr);
  EXPECT_EQ(load_adapter(folder.path()).tensors.size(), 3u);
}

TEST(AdapterFolder, WritesPlainLoraAsPeftDoes) {
  const TemporaryFolder folder;
  save_adapter(folder.path(), lora());
  const PeftLoraConfig config = read_peft_config(folder / "adapter_config.json");
  EXPECT_EQ(config.r, 2);
  EXPECT_EQ(config.lora_alpha, 16);
  EXPECT_EQ(config.task_type, "SEQ_CLS");
  EXPECT_EQ(config.modules_to_save, std::vector<std::string>{"classifier"});
  EXPECT_EQ(config.target_modules,
            (std::vector<std::string>{"bert.encoder.layer.0.attention.self.query",
                                      "bert.encoder.layer.1.output.dense"}));
  ASSERT_EQ(config.rank_pattern.size(), 1u);
  EXPECT_EQ(config.rank_pattern[0].second, 3);
  const NamedTensors tensors = read_tensors(folder / "adapter_model.safetensors");
  EXPECT_NE(find_tensor(tensors,
                        "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight"),
            nullptr);
  EXPECT_NE(find_tensor(tensors, "base_model.model.classifier.weight"), nullptr);
}

TEST(AdapterFolder, HasTheTaskTypeOfPeft) {
  const auto task_type = [](const AdapterContents& contents) {
    const TemporaryFolder folder;
    save_adapter(folder.path(), contents);
    return read_peft_config(folder / "adapter_config.json").task_type;
  };
  AdapterContents decoder = lora();
  std::erase_if(decoder.tensors, [](const auto& t) { return t.first.starts_with("classifier."); });
  decoder.outputs.reset();
  EXPECT_EQ(task_type(decoder), "");
  decoder.predicts_tokens = true;
  EXPECT_EQ(task_type(decoder), "CAUSAL_LM");
  // The classification head of a decoder is called score.
  decoder.predicts_tokens = false;
  decoder.outputs = 2;
  decoder.tensors.emplace_back("score.weight", at::ones({2, 4}));
  EXPECT_EQ(task_type(decoder), "SEQ_CLS");
}

TEST(AdapterFolder, GivesOtherMethodsATypeThatPeftRejects) {
  const TemporaryFolder folder;
  AdapterContents contents = lora();
  contents.method = R"({"name": "molex", "balance": 0.01})";
  save_adapter(folder.path(), contents);
  EXPECT_EQ(read_json(folder / "adapter_config.json")["peft_type"], "MIXTUNE");
  EXPECT_NE(find_tensor(read_tensors(folder / "adapter_model.safetensors"), "classifier.weight"),
            nullptr);
  EXPECT_EQ(Json::parse(load_adapter(folder.path()).method)["name"], "molex");
}

TEST(AdapterFolder, ReadsAFolderOfPeftWithoutDescription) {
  const TemporaryFolder folder;
  save_adapter(folder.path(), lora());
  fs::remove(folder / "mixtune.json");
  const Json method = Json::parse(load_adapter(folder.path()).method);
  EXPECT_EQ(method["name"], "lora");
  EXPECT_EQ(method["r"], 2);
  EXPECT_EQ(method["lora_alpha"], 16);
  EXPECT_EQ(load_adapter(folder.path()).outputs, 2);
  EXPECT_EQ(load_adapter(folder.path()).head, "pooled");
}

TEST(AdapterFolder, WarnsAboutUnknownSettingsOfPeft) {
  const TemporaryFolder folder;
  save_adapter(folder.path(), lora());
  fs::remove(folder / "mixtune.json");
  EXPECT_TRUE(load_adapter(folder.path()).warnings.empty());
  Json config = read_json(folder / "adapter_config.json");
  config["new_option"] = 1;
  std::ofstream(folder / "adapter_config.json") << config.dump();
  const std::vector<std::string> warnings = load_adapter(folder.path()).warnings;
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("new_option"), std::string::npos);
}

TEST(AdapterFolder, DoesNotSaveTensorsThatAreNotFinite) {
  const TemporaryFolder folder;
  AdapterContents contents = lora();
  contents.tensors[0].second = at::full({2, 6}, std::nan(""));
  EXPECT_THROW(save_adapter(folder.path(), contents), BugError);
}

TEST(AdapterFolder, RejectsFoldersOfOlderVersionsInOneLine) {
  for (const bool is_for_peft : {true, false}) {
    const TemporaryFolder folder;
    AdapterContents contents = lora();
    if (!is_for_peft) contents.method = R"({"name": "ia3"})";
    save_adapter(folder.path(), contents);
    Json description = read_json(folder / "mixtune.json");
    description["format_version"] = 1;
    fs::remove(folder / "mixtune.json");
    std::ofstream(folder / "former.json") << description;
    const std::string error = error_of(folder.path());
    EXPECT_NE(error.find("former.json: format_version is 1; expected 2"), std::string::npos)
        << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
  }
}

TEST(AdapterFolder, NamesWhatIsWrong) {
  const TemporaryFolder folder;
  EXPECT_NE(error_of(folder / "nowhere").find("is not an adapter folder"), std::string::npos);
  save_adapter(folder.path(), lora());
  const auto with = [&](const std::string& text) {
    std::ofstream(folder / "mixtune.json") << text;
    return error_of(folder.path());
  };
  EXPECT_NE(with("[]").find("is not a JSON object"), std::string::npos);
  EXPECT_NE(with("{").find("mixtune.json"), std::string::npos);
  EXPECT_NE(with(R"({"format_version": 99})").find("format_version is 99"), std::string::npos);
  EXPECT_NE(with(R"({"format_version": 2, "method": 3})").find("method is not"), std::string::npos);
  EXPECT_NE(
      with(R"({"format_version": 2, "method": {"name": "lora"}, "head": "auto", "labels": [1]})")
          .find("not a string"),
      std::string::npos);
}

template <class Change>
PeftLoraConfig with(Change change) {
  PeftLoraConfig out;
  change(out);
  return out;
}

TEST(PeftLora, RejectsSettingsThatNoMethodHas) {
  EXPECT_THROW(method_of(with([](auto& c) { c.bias = "all"; }), "x"), UserError);
  EXPECT_THROW(method_of(with([](auto& c) { c.use_dora = c.lora_bias = true; }), "x"), UserError);
}

TEST(PeftLora, ReadsDoraBiasesAndExclusions) {
  EXPECT_EQ(method_of(with([](auto& c) { c.use_dora = true; }), "x")["name"], "dora");
  const Json lora = method_of(with([](auto& c) {
                                c.bias = "lora_only";
                                c.lora_bias = true;
                                c.exclude_modules = {"o_proj"};
                              }),
                              "x");
  EXPECT_EQ(lora["bias"], "lora_only");
  EXPECT_EQ(lora["lora_bias"], true);
  EXPECT_EQ(lora["exclude_modules"], Json::array({"o_proj"}));
}

TEST(AdapterFolder, WritesDoraAndBiasesAsPeftDoes) {
  const TemporaryFolder folder;
  AdapterContents contents = lora();
  Json method = Json::parse(contents.method);
  method["name"] = "dora";
  method["bias"] = "lora_only";
  contents.method = method.dump();
  const std::string module = "bert.encoder.layer.0.attention.self.query";
  contents.tensors.emplace_back(module + ".lora_magnitude_vector", at::ones({6}));
  contents.tensors.emplace_back(module + ".base_layer.bias", at::ones({6}));
  save_adapter(folder.path(), contents);
  const PeftLoraConfig config = read_peft_config(folder / "adapter_config.json");
  EXPECT_TRUE(config.use_dora);
  EXPECT_EQ(config.bias, "lora_only");
  EXPECT_EQ(config.modules_to_save, std::vector<std::string>{"classifier"});
  EXPECT_NE(find_tensor(read_tensors(folder / "adapter_model.safetensors"),
                        "base_model.model." + module + ".lora_magnitude_vector"),
            nullptr);
}

TEST(AdapterFolder, HasNoTypeOfPeftIfAnUpdateAdaptsAPartOfAModule) {
  const TemporaryFolder folder;
  AdapterContents contents = lora();
  contents.splits_modules = true;
  save_adapter(folder.path(), contents);
  EXPECT_EQ(read_json(folder / "adapter_config.json")["peft_type"], "MIXTUNE");
}

// If target_modules is missing, PEFT uses defaults of the model type; the tensors have them.
TEST(AdapterFolder, TakesMissingTargetsFromTheTensors) {
  const TemporaryFolder folder;
  save_adapter(folder.path(), lora());
  fs::remove(folder / "mixtune.json");
  PeftLoraConfig config = read_peft_config(folder / "adapter_config.json");
  config.target_modules.clear();
  write_peft_config(folder / "adapter_config.json", config);
  EXPECT_EQ(Json::parse(load_adapter(folder.path()).method)["target_modules"],
            Json::array({"bert.encoder.layer.0.attention.self.query",
                         "bert.encoder.layer.1.output.dense"}));
}

}  // namespace
}  // namespace mixtune
