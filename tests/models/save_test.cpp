// save_model: names, layouts and types in the file; loading the folder gives the same model.
#include "models/save.h"

#include <fstream>

#include "base/json.h"
#include "files/safetensors.h"
#include "support/paths.h"
#include "support/tiny_model.h"
#include "tensor/random.h"
#include "tensor/tensor_file.h"

namespace mixtune::test {
namespace {

struct Case {
  std::string type, architecture;
  HeadKind head;
  int64_t labels;
};

// A model with random weights and the config.json that belongs to it.
std::unique_ptr<Model> made(const Case& c) {
  Json json;
  if (c.type == "gpt2")
    json = {{"n_embd", 16}, {"n_layer", 2}, {"n_head", 2}, {"n_positions", 24}};
  else
    json = {{"hidden_size", 16},
            {"num_hidden_layers", 2},
            {"num_attention_heads", 2},
            {"intermediate_size", 24},
            {"max_position_embeddings", 24}};
  json["model_type"] = c.type;
  json["vocab_size"] = 40;
  json["pad_token_id"] = c.type == "roberta" ? 1 : 0;
  json["torch_dtype"] = "float16";
  json["a_key_of_others"] = {1, 2};
  TemporaryFolder folder;
  std::ofstream(folder / "config.json") << json.dump();
  auto out = make_model(read_model_config(folder.path()), c.head, c.labels, at::kFloat);
  const at::NoGradGuard no_grad;
  for (const WeightSlot& slot : out->sites().weights) {
    const Tensor view = slot.view();
    view.copy_(normal_tensor(view.sizes(), 0.3, derive(RandomKey(3), slot.name)));
  }
  return out;
}

Tensor logits_of(Model& model) {
  const std::vector<int32_t> ids = {5, 9, 2, 33, 17, 8, 4};
  const at::NoGradGuard no_grad;
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  const PackedBatch batch =
      pack({{ids.data(), nullptr, 4, 0}, {ids.data() + 4, nullptr, 3, 1}}, at::kCPU);
  return model.labels() > 0 ? model.logits(batch, context)
                            : model.last_hidden_state(batch, context);
}

class SaveModel : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    Heads, SaveModel,
    testing::Values(Case{"gpt2", "GPT2LMHeadModel", HeadKind::language, 0},
                    Case{"gpt2", "GPT2ForSequenceClassification", HeadKind::last_token, 3},
                    Case{"gpt2", "GPT2Model", HeadKind::none, 0},
                    Case{"llama", "LlamaForCausalLM", HeadKind::language, 0},
                    Case{"qwen2", "Qwen2ForSequenceClassification", HeadKind::last_token, 1},
                    Case{"gemma2", "Gemma2ForCausalLM", HeadKind::language, 0},
                    Case{"bert", "BertForSequenceClassification", HeadKind::pooled, 3},
                    Case{"bert", "BertModel", HeadKind::none, 0},
                    Case{"roberta", "RobertaForSequenceClassification", HeadKind::dense, 2}),
    [](const auto& info) { return info.param.architecture; });

TEST_P(SaveModel, LoadsAsTheSameModel) {
  const auto model = made(GetParam());
  TemporaryFolder folder;
  save_model(*model, folder / "out", {});
  const LoadedModel back = load_model(folder / "out", {});
  EXPECT_TRUE(back.report.unexpected.empty());
  EXPECT_TRUE(back.report.missing.empty());
  EXPECT_TRUE(back.report.newly_initialized.empty());
  EXPECT_TRUE(at::equal(logits_of(*back.model), logits_of(*model)));
}

TEST_P(SaveModel, UpdatesConfigJsonAndKeepsUnknownKeys) {
  const auto model = made(GetParam());
  TemporaryFolder folder;
  save_model(*model, folder / "out", {.dtype = at::kBFloat16});
  const Json json = read_json(folder / "out/config.json");
  EXPECT_EQ(json["architectures"], Json({GetParam().architecture}));
  EXPECT_EQ(json["dtype"], "bfloat16");
  EXPECT_FALSE(json.contains("torch_dtype"));
  EXPECT_EQ(json["a_key_of_others"], Json({1, 2}));
  if (GetParam().labels == 1) {
    EXPECT_EQ(json["problem_type"], "regression");
  }
}

TEST_P(SaveModel, RoundsEveryWeightToTheGivenType) {
  const auto model = made(GetParam());
  TemporaryFolder folder;
  save_model(*model, folder / "out", {.dtype = at::kBFloat16});
  const LoadedModel back = load_model(folder / "out", {});
  const auto& slots = model->sites().weights;
  for (size_t i = 0; i < slots.size(); ++i)
    EXPECT_TRUE(at::equal(back.model->sites().weights[i].view(),
                          slots[i].view().to(at::kBFloat16).to(at::kFloat)))
        << slots[i].name;
  const SafetensorsFile file = SafetensorsFile::open(folder / "out/model.safetensors");
  for (const TensorInfo& info : file.tensors()) EXPECT_EQ(info.dtype, DType::BF16) << info.name;
}

// Names and layouts are those of transformers.
TEST(SaveGpt2, WritesTransposedProjectionsAndATiedHeadOnce) {
  const auto model = made({"gpt2", "", HeadKind::language, 0});
  TemporaryFolder folder;
  save_model(*model, folder / "out", {});
  const SafetensorsFile file = SafetensorsFile::open(folder / "out/model.safetensors");
  EXPECT_EQ(file.find("lm_head.weight"), nullptr);
  EXPECT_EQ(file.info("transformer.wte.weight").shape, (std::vector<int64_t>{40, 16}));
  EXPECT_EQ(file.info("transformer.h.1.attn.c_attn.weight").shape, (std::vector<int64_t>{16, 48}));
  EXPECT_EQ(file.info("transformer.h.1.mlp.c_fc.weight").shape, (std::vector<int64_t>{16, 64}));
  EXPECT_EQ(file.info("transformer.h.1.mlp.c_proj.weight").shape, (std::vector<int64_t>{64, 16}));
  EXPECT_EQ(file.tensors().size(), 2u + 2 * 12 + 2);  // embeddings, layers, ln_f
}

TEST(SaveGpt2, AddsBosAndEosTokensIfTheConfigHasNone) {
  const auto model = made({"gpt2", "", HeadKind::language, 0});
  TemporaryFolder folder;
  save_model(*model, folder / "out", {.begin_token = 3, .end_token = 7});
  const LoadedModel back = load_model(folder / "out", {});
  save_model(*back.model, folder / "again", {.begin_token = 1, .end_token = 2});
  const Json json = read_json(folder / "again/config.json");
  EXPECT_EQ(json["bos_token_id"], 3);
  EXPECT_EQ(json["eos_token_id"], 7);
}

TEST(SaveClassifier, WritesTheNamesOfItsLabels) {
  const auto model = made({"bert", "", HeadKind::pooled, 3});
  TemporaryFolder folder;
  save_model(*model, folder / "out", {.labels = {"red", "green", "blue"}});
  const Json json = read_json(folder / "out/config.json");
  EXPECT_EQ(json["id2label"], Json({{"0", "red"}, {"1", "green"}, {"2", "blue"}}));
  EXPECT_EQ(json["label2id"], Json({{"red", 0}, {"green", 1}, {"blue", 2}}));
  EXPECT_EQ(json["problem_type"], "single_label_classification");
}

TEST(SaveClassifier, RejectsAHeadThatTransformersDoesNotHave) {
  TemporaryFolder folder;
  for (const Case& c : {Case{"bert", "", HeadKind::dense, 2}, {"roberta", "", HeadKind::pooled, 2}})
    EXPECT_THROW(save_model(*made(c), folder / "out", {}), UserError) << c.type;
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST(SaveModel16, RejectsWeightsThatOverflow) {
  const auto model = made({"gpt2", "", HeadKind::language, 0});
  const at::NoGradGuard no_grad;
  model->sites().weights[3].view().fill_(70000);  // the largest float16 is 65504
  TemporaryFolder folder;
  EXPECT_THROW(save_model(*model, folder / "out", {.dtype = at::kHalf}), UserError);
  EXPECT_FALSE(fs::exists(folder / "out"));
  save_model(*model, folder / "out", {.dtype = at::kBFloat16});
}

}  // namespace
}  // namespace mixtune::test
