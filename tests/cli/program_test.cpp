#include "cli/program.h"

#include "base/file.h"
#include "cli/command.h"
#include "run_cli.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

TEST(Program, EveryCommandHasHelpWithAnExample) {
  ASSERT_GE(commands().entries().size(), 13u);
  for (const CommandEntry& command : commands().entries()) {
    const CliResult help = run_cli({command.name, "--help"});
    EXPECT_EQ(help.code, 0) << command.name;
    EXPECT_EQ(help.err, "");
    EXPECT_TRUE(says(help.out, command.summary)) << help.out;
    ASSERT_FALSE(command.examples.empty()) << command.name;
    for (const std::string& example : command.examples) {
      EXPECT_TRUE(says(example, "mixtune " + command.name)) << example;
      EXPECT_TRUE(says(help.out, example)) << help.out;
    }
  }
}

TEST(Program, TheMethodsPageEqualsTheOutputOfTheProgram) {
  const CliResult page = run_cli({"methods", "--markdown"});
  EXPECT_EQ(page.code, 0);
  EXPECT_EQ(page.out, read_file(source_dir() / "docs/methods.md"))
      << "build/mixtune methods --markdown > docs/methods.md";
}

TEST(Program, AMethodIsListedWithTheOptionsOfItsParts) {
  const CliResult mixture = run_cli({"methods", "mixture"});
  EXPECT_EQ(mixture.code, 0);
  for (const char* part : {"\nselection: all\nAll experts.\n  no options\n",
                           "\nselection: top_p\nThe fewest experts with total probability at "
                           "least p.\n  p ",
                           "\nlosses: variation\n", "\n  delta "})
    EXPECT_TRUE(says(mixture.out, part)) << mixture.out;
  // The methods that are allowed under `over` are described by their own page.
  EXPECT_FALSE(says(run_cli({"methods", "molex"}).out, "over: lora"));
}

TEST(Program, HelpListsEveryCommand) {
  const CliResult help = run_cli({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const std::string& name : commands().names()) EXPECT_TRUE(says(help.out, "  " + name));
  EXPECT_EQ(run_cli({"help"}).out, help.out);
  EXPECT_EQ(run_cli({"help", "train"}).out, run_cli({"train", "--help"}).out);
}

TEST(Program, WithoutArgumentsPrintsTheUsageAndFails) {
  const CliResult result = run_cli({});
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(says(result.out, "Usage: mixtune COMMAND"));
}

TEST(Program, PrintsItsVersion) {
  const CliResult result = run_cli({"--version"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out.rfind("mixtune 0.", 0), 0u) << result.out;
}

TEST(Program, TheDoctorPrintsVersionsAndDevices) {
  const CliResult result = run_cli({"doctor"});
  EXPECT_EQ(result.code, 0) << result.err;
  for (const char* row : {"libtorch", "CUDA", "threads"})
    EXPECT_TRUE(says(result.out, row)) << row << " is not in: " << result.out;
}

TEST(Program, UnknownCommandNamesTheNearest) {
  expect_mistake(run_cli({"trian", "lora"}), "unknown command 'trian'. Did you mean train?");
  expect_mistake(run_cli({"help", "exmaine"}), "unknown command");
}

TEST(Program, UnknownFlagNamesTheNearest) {
  expect_mistake(run_cli({"train", "lora", "--overwite"}),
                 "unknown flag --overwite. Did you mean --overwrite?");
  expect_mistake(run_cli({"doctor", "--zzzzzzzz=3"}), "unknown flag --zzzzzzzz");
  expect_mistake(run_cli({"--versoin"}), "Did you mean --version?");
}

TEST(Program, ArgumentsThatAreTooManyOrTooFewAreMistakes) {
  expect_mistake(run_cli({"doctor", "now"}), "does not accept 'now'");
  expect_mistake(run_cli({"train"}), "recipes");
  expect_mistake(run_cli({"predict", "run", "--input"}), "--input");
  expect_mistake(run_cli({"tokenizer", "encode", "x", "--max-length", "many"}), "many");
  expect_mistake(run_cli({"tokenizer", "encode"}), "needs a tokenizer");
  expect_mistake(run_cli({"tokenizer", "train", "--output", "x"}), "--input");
}

TEST(Program, TrainingATokenizerReplacesOneOnlyWithOverwrite) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "text", "low lower lowest\n");
  const std::string output = (folder / "out").string();
  std::vector<std::string> command = {
      "tokenizer", "train", "--input",      (folder / "text").string(),
      "--output",  output,  "--vocab-size", "258"};
  ASSERT_EQ(run_cli(command).code, 0);
  expect_mistake(run_cli(command),
                 "tokenizer.json: exists already. Name another folder, or add --overwrite.");
  command.emplace_back("--overwrite");
  EXPECT_EQ(run_cli(command).code, 0);
}

TEST(Program, MissingFilesAreMistakesThatNameThem) {
  expect_mistake(run_cli({"resume", "/nowhere/run"}), "/nowhere/run");
  expect_mistake(run_cli({"compare", "/nowhere/run"}), "/nowhere/run");
  expect_mistake(run_cli({"inspect", "/nowhere/file"}), "/nowhere/file");
  expect_mistake(run_cli({"eval", "/nowhere/run"}), "/nowhere/run");
  expect_mistake(run_cli({"predict", "/nowhere/run", "--input", "-"}), "/nowhere/run");
  expect_mistake(run_cli({"tokenizer", "encode", "/nowhere/model", "text"}), "/nowhere/model");
  expect_mistake(run_cli({"tokenizer", "train", "--input", "/nowhere/text", "--output", "x"}),
                 "/nowhere/text");
  expect_mistake(run_cli({"forward", "--model", "/nowhere/model", "--input", "i", "--output", "o"}),
                 "/nowhere/model");
}

}  // namespace
}  // namespace mixtune::test
