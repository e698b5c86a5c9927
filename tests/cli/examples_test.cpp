// The examples of examples/ as smoke tests: the commands of their pages with fewer steps.
#include "base/file.h"
#include "run_cli.h"
#include "support/paths.h"
#include "train/tiny_run.h"

namespace mixtune::test {
namespace {

// Runs a command that must succeed and returns its output.
CliResult succeed(const std::vector<std::string>& command) {
  CliResult result = run_cli(command);
  EXPECT_EQ(result.code, 0) << result.err;
  return result;
}

// The tiny model has as many layers as the lists of the recipe have items.
TEST(Examples, OwnMixture) {
  const TinyWorld world(0.1, 0.15, 6);
  const std::string run = world.path("own-mixture").string();
  const CliResult trained =
      run_cli({"train", (source_dir() / "examples/own-mixture/mixture.yaml").string(),
               "model.path=" + world.model().string(), "task.name=classify",
               "task.data=" + world.data().string(), "task.max_length=24", "train.steps=12",
               "train.evaluate_every=6", "threads=1", "--output", run});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_TRUE(says(trained.out, "step 12/12")) << trained.out;
  const CliResult routing = run_cli({"inspect", run, "--routing"});
  EXPECT_EQ(routing.code, 0) << routing.err;
  EXPECT_TRUE(says(routing.out, "attention.self.query")) << routing.out;
}

class E2eExample : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Examples, E2eExample, testing::Values("lora", "molex"),
                         [](const auto& info) { return info.param; });

// Uses the shipped decoder and the shipped pairs.
TEST_P(E2eExample, TrainsGeneratesAndScores) {
  const TemporaryFolder folder;
  const std::string run = folder / "run", data = (source_dir() / "examples/e2e").string();
  const CliResult trained = succeed({"train", "e2e/small-" + GetParam(), "task.data=" + data,
                                     "task.limit_train=32", "task.limit_dev=8", "train.steps=2",
                                     "train.batch_size=4", "threads=1", "--output", run});
  EXPECT_TRUE(says(trained.out, "step 2/2")) << trained.out;
  succeed({"generate", run, "--output", folder / "texts.jsonl", "--num-beams", "2",
           "--max-new-tokens", "6", "--threads", "1"});
  const CliResult scored = succeed({"score", "e2e", "--references", data + "/pairs/test.txt",
                                    "--outputs", folder / "texts.txt"});
  EXPECT_TRUE(says(scored.out, "e2e: 60 outputs, 415 references")) << scored.out;
}

// A tokenizer and a decoder from random weights, on the texts of the e2e example.
TEST(Examples, Pretrain) {
  const TemporaryFolder folder;
  const std::string text = (source_dir() / "examples/e2e/pairs/valid.txt").string();
  succeed({"tokenizer", "train", "--input", text, "--vocab-size", "400", "--output",
           folder / "tokenizer"});
  const std::string run = folder / "run", model = folder / "model";
  succeed({"train", "pretrain/tiny-gpt2", "model.tokenizer=" + (folder / "tokenizer").string(),
           "task.data=" + text, "task.dev_share=0.1", "task.max_length=32", "train.steps=2",
           "threads=1", "--output", run});
  succeed({"export", run, "--to", "transformers", "--dtype", "bf16", "--output", model});
  const CliResult written =
      succeed({"generate", model, "--prompt", "name", "--max-new-tokens", "4", "--threads", "1"});
  EXPECT_FALSE(written.out.empty());
}

}  // namespace
}  // namespace mixtune::test
