// mixtune export: model folders of several methods have the outputs of the run; user mistakes.
#include "base/file.h"
#include "base/json.h"
#include "files/safetensors.h"
#include "run_cli.h"
#include "support/rounding.h"
#include "tensor/tensor_file.h"
#include "train/tiny_language.h"

namespace mixtune::test {
namespace {

Tensor ids_of(int64_t tokens, int64_t vocabulary) {
  return at::arange(tokens, at::kLong) * 7 % vocabulary;
}

// The output of `mixtune forward` for a model, with or without an adapter.
Tensor forward(const fs::path& folder, const std::string& model, const std::string& adapter,
               int64_t vocabulary) {
  const std::string in = (folder / "ids.safetensors").string();
  const std::string out = (folder / "logits.safetensors").string();
  write_tensors(in, {{"ids", ids_of(20, vocabulary)}, {"offsets", at::tensor({0, 12, 20})}});
  std::vector<std::string> command = {"forward", "--model", model, "--input", in, "--output", out};
  if (!adapter.empty()) command.insert(command.end(), {"--adapter", adapter});
  const CliResult result = run_cli(command);
  EXPECT_EQ(result.code, 0) << result.err;
  return read_tensors(out).at(0).second.clone();
}

std::vector<std::string> export_command(const std::string& run, const std::string& output) {
  return {"export", run, "--to", "transformers", "--output", output};
}

class ExportDecoder : public testing::TestWithParam<std::string> {
 protected:
  ExportDecoder() : world_(GetParam(), 0) {}
  std::string path(const std::string& name) const { return world_.path(name).string(); }
  LanguageWorld world_;
};

INSTANTIATE_TEST_SUITE_P(Types, ExportDecoder, testing::Values("gpt2", "llama"),
                         [](const auto& info) { return info.param; });

TEST_P(ExportDecoder, AModelFromScratchIsExportedWithItsTrainedWeights) {
  run(world_.config("run", "lm",
                    {"method=full", "model.from_scratch=true", "train.epochs=1",
                     "model.tokenizer=" + path("model")}));
  const CliResult result = run_cli(export_command(path("run"), path("out")));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(says(result.out, "differ by at most 0 ")) << result.out;
  // The run's base model has other weights, so these logits depend on the exported folder alone.
  const Tensor exported = forward(world_.path(""), path("out"), "", kTinyVocabulary);
  const Tensor trained =
      forward(world_.path(""), path("model"), path("run") + "/adapter", kTinyVocabulary);
  EXPECT_TRUE(at::equal(exported, trained));
  EXPECT_TRUE(fs::exists(path("out/tokenizer.json")));
  EXPECT_FALSE(fs::exists(path("out.unfinished")));
  const CliResult written =
      run_cli({"generate", path("out"), "--prompt", "red", "--max-new-tokens", "3"});
  EXPECT_EQ(written.code, 0) << written.err;
}

TEST_P(ExportDecoder, LoraIsMerged) {
  run(world_.config("run", "instruct", {"train.epochs=1"}));
  const CliResult result = run_cli(export_command(path("run"), path("out")));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(says(result.out, "lora is merged")) << result.out;
  const Tensor exported = forward(world_.path(""), path("out"), "", kTinyVocabulary);
  const Tensor adapted =
      forward(world_.path(""), path("model"), path("run") + "/adapter", kTinyVocabulary);
  const Tensor base = forward(world_.path(""), path("model"), "", kTinyVocabulary);
  EXPECT_LT((exported - adapted).abs().max().item<float>(), 1e-4 * size_of(adapted));
  EXPECT_GT((exported - base).abs().max().item<float>(), 1e-2);
}

TEST_P(ExportDecoder, AdaptersThatDependOnTheInputAreRejectedInOneLine) {
  for (const std::string method : {"molex", "dynmole"}) {
    run(world_.config(method, "instruct", {"method=" + method, "train.epochs=1"}));
    const CliResult result = run_cli(export_command(path(method), path("out")));
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.out, "");
    const std::string title = method == "molex" ? "molex+lora" : method;
    EXPECT_TRUE(says(result.err, "method " + title + ": cannot be merged into the weights"))
        << result.err;
    EXPECT_FALSE(fs::exists(path("out")));
    EXPECT_FALSE(fs::exists(path("out.unfinished")));
  }
}

TEST_P(ExportDecoder, AModelIsConvertedToAnotherType) {
  std::vector<std::string> command = export_command(path("model"), path("out"));
  command.insert(command.end(), {"--dtype", "bf16"});
  const CliResult result = run_cli(command);
  ASSERT_EQ(result.code, 0) << result.err;
  const SafetensorsFile file = SafetensorsFile::open(path("out/model.safetensors"));
  for (const TensorInfo& info : file.tensors()) EXPECT_EQ(info.dtype, DType::BF16) << info.name;
}

TEST_P(ExportDecoder, MistakesAreOneLineAndReplaceNothing) {
  const std::string model = path("model");
  std::vector<std::string> command = export_command(model, path("out"));
  for (const std::string to : {"gguf", "peft", "moe-peft"}) {
    command[3] = to;
    expect_mistake(run_cli(command), "is '" + to + "', which is not implemented yet");
  }
  command[3] = "onnx";
  expect_mistake(run_cli(command), "expected transformers");
  command = export_command(model, model);
  expect_mistake(run_cli(command), "is the source of the export");
  ASSERT_EQ(run_cli(export_command(model, path("out"))).code, 0);
  command = export_command(model, path("out"));
  expect_mistake(run_cli(command), "exists already");
  command.push_back("--overwrite");
  EXPECT_EQ(run_cli(command).code, 0);
  command[5] = path("data");  // not a model
  expect_mistake(run_cli(command), "is not a model folder");
  EXPECT_TRUE(fs::exists(path("data/train.jsonl")));
}

TEST(ExportEncoder, AClassifierCarriesItsLabelsAndItsHead) {
  const TinyWorld world(0);
  for (const std::string method : {"full", "lora", "bitfit", "ia3", "dora"}) {
    SCOPED_TRACE(method);
    run(world.config(method, {"method=" + method, "train.epochs=1"}));
    const std::string output = world.path(method + "-out").string();
    const CliResult result = run_cli(export_command(world.path(method).string(), output));
    ASSERT_EQ(result.code, 0) << result.err;
    const Json config = read_json(output + "/config.json");
    EXPECT_EQ(config["architectures"], Json({"BertForSequenceClassification"}));
    EXPECT_EQ(config["id2label"], Json({{"0", "blue"}, {"1", "green"}, {"2", "red"}}));
    const Tensor exported = forward(world.path(""), output, "", 16);
    const Tensor trained = forward(world.path(""), world.model().string(),
                                   world.path(method).string() + "/adapter", 16);
    EXPECT_EQ(exported.sizes(), (std::vector<int64_t>{2, 3}));
    EXPECT_LT((exported - trained).abs().max().item<float>(), 1e-5 * size_of(trained));
    EXPECT_TRUE(fs::exists(output + "/vocab.txt"));
  }
}

}  // namespace
}  // namespace mixtune::test
