// End-of-text ids of a model folder, and of the task that a run was trained on.
#include "cli/end_ids.h"

#include "base/file.h"
#include "base/json.h"
#include "run_cli.h"
#include "train/predictor.h"
#include "train/tiny_language.h"

namespace mixtune::test {
namespace {

using Ids = std::set<int32_t>;

TEST(EndIds, AreThoseOfBothFiles) {
  const TemporaryFolder folder;
  EXPECT_EQ(end_ids_of(folder.path()), Ids());
  write_file_atomically(folder / "config.json", "{\"eos_token_id\": 7, \"pad_token_id\": 1}");
  EXPECT_EQ(end_ids_of(folder.path()), Ids({7}));
  add_end_id(folder.path(), 3);
  EXPECT_EQ(end_ids_of(folder.path()), Ids({3, 7}));
  EXPECT_EQ(read_json(folder / "generation_config.json").at("pad_token_id"), 1);
  write_file_atomically(folder / "generation_config.json",
                        "{\"top_k\": 5, \"eos_token_id\": [4, null]}");
  add_end_id(folder.path(), 3);
  EXPECT_EQ(end_ids_of(folder.path()), Ids({3, 4, 7}));
  EXPECT_EQ(read_json(folder / "generation_config.json").at("top_k"), 5);
}

constexpr int32_t kImStart = 2, kImEnd = 3;  // of the tiny tokenizers

// A chat template ends answers with its own token. A run, its adapter attached to the model, and
// the exported model all use this token as end id.
TEST(EndIds, ARunItsAdapterAndItsExportHaveTheEndTokenOfTheChatTemplate) {
  const LanguageWorld world("gpt2", 0);
  run(world.config("run", "instruct", {"task.template=chatml", "train.epochs=1"}));
  const fs::path folder = world.path("run");
  Recorder recorder;
  const auto of_run = open_predictor({.source = folder, .generates = true}, recorder);
  EXPECT_EQ(of_run->supervised_end, kImEnd);
  const auto of_adapter = open_predictor(
      {.source = world.path("model"), .adapter = folder / "adapter", .generates = true}, recorder);
  EXPECT_EQ(of_adapter->supervised_end, kImEnd);
  EXPECT_FALSE(open_predictor({.source = world.path("model"), .generates = true}, recorder)
                   ->supervised_end.has_value());

  run(world.config("texts", "lm", {"task.end=<|im_start|>", "train.epochs=1"}));
  EXPECT_EQ(
      open_predictor({.source = world.path("texts"), .generates = true}, recorder)->supervised_end,
      kImStart);

  const std::string output = world.path("exported").string();
  const CliResult exported =
      run_cli({"export", folder.string(), "--to", "transformers", "--output", output});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_TRUE(end_ids_of(output).contains(kImEnd));

  // No generated text continues after the end token. At a high temperature it occurs soon.
  write_file_atomically(world.path("prompts.jsonl"), "{\"prompt\": \"red\"}\n");
  const CliResult written =
      run_cli({"generate", folder.string(), "--input", world.path("prompts.jsonl").string(),
               "--do-sample", "--temperature", "9", "--num-return-sequences", "16",
               "--max-new-tokens", "40", "--show-special-tokens", "--threads", "1"});
  ASSERT_EQ(written.code, 0) << written.err;
  int ended = 0;
  const Json line = parse_json(written.out, "stdout");
  for (const Json& text : line.at("texts")) {
    const std::string generated = text.at("text");
    const size_t at = generated.find("<|im_end|>");
    if (at == generated.npos) continue;
    ++ended;
    EXPECT_EQ(at + std::string("<|im_end|>").size(), generated.size()) << generated;
  }
  EXPECT_GT(ended, 0) << written.out;
}

}  // namespace
}  // namespace mixtune::test
