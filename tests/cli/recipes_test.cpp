#include "cli/recipes.h"

#include <sstream>

#include "base/file.h"
#include "run_cli.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

TEST(Recipes, AreFoundByNameBelowTheRecipeFolder) {
  EXPECT_EQ(find_recipe("rte").filename(), "rte.yaml");
  EXPECT_EQ(find_recipe("rte").parent_path().filename(), "tasks");
  EXPECT_EQ(find_recipe("lora").parent_path().filename(), "methods");
  EXPECT_EQ(find_recipe("quickstart/molex").parent_path().filename(), "quickstart");
}

TEST(Recipes, APathToAFileIsUsedAsItIs) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "mine.yaml", "method: {name: lora, r: 3}\n");
  EXPECT_EQ(find_recipe(folder / "mine.yaml"), folder / "mine.yaml");
}

TEST(Recipes, AnUnknownNameListsTheNearest) {
  try {
    find_recipe("loar");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_TRUE(says(error.what(), "lora")) << error.what();
  }
  EXPECT_THROW(find_recipe("missing.yaml"), UserError);
}

TEST(Recipes, LayersMergeLeftToRightAndAssignmentsComeLast) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "mine.yaml", "method: {name: lora, r: 3}\ntrain: {epochs: 7}\n");
  const RunRequest request =
      read_request({"method.r=5", "lora", "rte", folder / "mine.yaml", "method.r=4"});
  EXPECT_EQ(request.config.method.name, "lora");
  EXPECT_EQ(request.config.task.name, "rte");
  EXPECT_EQ(request.config.train.epochs, 7);
  EXPECT_EQ(request.origins.at("method.r"), "command line");
  EXPECT_TRUE(says(request.origins.at("train.epochs"), "mine.yaml:2"));
  EXPECT_TRUE(says(to_yaml(request.config), "r: 4"));
}

TEST(Recipes, EveryShippedRecipeIsRead) {
  std::map<std::string, int> counts;
  for (const std::string folder : {"recipes", "examples"})
    for (const auto& entry : fs::recursive_directory_iterator(source_dir() / folder)) {
      if (entry.path().extension() != ".yaml") continue;
      ++counts[folder];
      // A recipe of base/ may set options that only a task has.
      EXPECT_NO_THROW(read_request({"classify", entry.path().string()})) << entry.path();
    }
  EXPECT_GT(counts["recipes"], 10);
  EXPECT_GT(counts["examples"], 0);
}

TEST(Recipes, AShippedModelIsFoundFromAnywhere) {
  const fs::path here = fs::current_path();
  const TemporaryFolder elsewhere;
  fs::current_path(elsewhere.path());
  const std::string shipped = read_request({"e2e/small-lora"}).config.model.path;
  const std::string named = read_request({"e2e/small-lora", "model.path=mine"}).config.model.path;
  fs::create_directories(elsewhere / "models/tiny-gpt2");
  const std::string nearer = read_request({"e2e/small-lora"}).config.model.path;
  fs::current_path(here);
  EXPECT_TRUE(fs::equivalent(shipped, source_dir() / "models/tiny-gpt2")) << shipped;
  EXPECT_EQ(named, "mine");
  EXPECT_EQ(nearer, "models/tiny-gpt2");
}

TEST(Config, PrintsEachValueWithItsOrigin) {
  const CliResult result = run_cli({"config", "lora", "rte", "train.epochs=5"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(says(result.out, "command line")) << result.out;
  EXPECT_TRUE(says(result.out, "lora.yaml:")) << result.out;
  EXPECT_TRUE(says(result.out, "# default")) << result.out;
}

TEST(Config, ReadsItsOwnOutput) {
  const TemporaryFolder folder;
  const CliResult first = run_cli({"config", "molex", "qnli", "model.path=some where"});
  ASSERT_EQ(first.code, 0) << first.err;
  write_file_atomically(folder / "again.yaml", first.out);
  const RunRequest again = read_request({folder / "again.yaml"});
  EXPECT_EQ(to_yaml(again.config),
            to_yaml(read_request({"molex", "qnli", "model.path=some where"}).config));
}

// The printed mixture, without its comment signs, is a recipe of the same method.
TEST(Config, PrintsTheEquivalentMixtureOfAMethod) {
  const CliResult result = run_cli({"config", "dynmole", "rte", "method.keep_top_k=3"});
  ASSERT_EQ(result.code, 0) << result.err;
  const size_t begin = result.out.find("# method:\n");
  ASSERT_NE(begin, std::string::npos) << result.out;
  std::istringstream lines(result.out.substr(begin));
  std::string spec;
  for (std::string line; std::getline(lines, line);) spec += line.substr(2) + "\n";
  const TemporaryFolder folder;
  write_file_atomically(folder / "mixture.yaml", spec);
  const RunRequest request = read_request({"rte", folder / "mixture.yaml"});
  EXPECT_EQ(request.config.method.name, "mixture");
  EXPECT_TRUE(says(to_yaml(request.config), "keep_top_k: 3")) << spec;
}

TEST(Config, PrintsMolexAsAMixtureOfLayersExceptWithReferenceCompat) {
  const CliResult result = run_cli({"config", "molex", "rte"});
  EXPECT_TRUE(says(result.out, "#   name: mixture\n#   site:\n#     name: layer\n")) << result.out;
  EXPECT_FALSE(
      says(run_cli({"config", "molex", "rte", "method.compat=reference"}).out, "as a mixture"));
}

TEST(Config, UnknownKeysAndWrongValuesAreMistakesOfOneLine) {
  expect_mistake(run_cli({"config", "lora", "train.epohcs=3"}), "epochs");
  expect_mistake(run_cli({"config", "lora", "method.r=0"}), "method.r is 0; expected 1 to");
  expect_mistake(run_cli({"config", "lora", "method.name=lroa"}), "lora");
}

}  // namespace
}  // namespace mixtune::test
