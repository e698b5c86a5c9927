// mixtune generate with runs: a run and its adapter attached to the model generate the same text;
// the cache that each method uses.
#include "files/json_lines.h"
#include "run_cli.h"
#include "train/tiny_language.h"

namespace mixtune::test {
namespace {

const std::string kPooled = "{name: mixture, scope: {level: prompt}, target_modules: [all-linear]}";
const std::string kReference = "name: molex, compat: reference, alpha: {main: 0.5, other: 0.5}";

class GenerateOfRun : public testing::TestWithParam<std::string> {
 protected:
  GenerateOfRun() : world_(GetParam(), 0) {}

  std::string path(const std::string& name) const { return world_.path(name).string(); }
  void train(const std::string& name, const std::string& method) const {
    run(world_.config(name, "instruct",
                      {"method=" + method, "train.epochs=1", "train.learning_rate=0.05"}));
  }
  // The messages of `mixtune generate`, and its one line of output.
  std::pair<std::string, std::string> written(const std::string& source,
                                              const std::vector<std::string>& more) const {
    const std::string file = path("out.jsonl");
    std::vector<std::string> all = {
        "generate",         path(source), "--prompt",    "red tree? ",       "--output", file,
        "--max-new-tokens", "12",         "--overwrite", "--min-new-tokens", "8"};
    all.insert(all.end(), more.begin(), more.end());
    const CliResult result = run_cli(all);
    EXPECT_EQ(result.code, 0) << result.err;
    std::string text;
    read_json_lines(file, [&](const Json& line, int64_t) { text = line.dump(); });
    return {result.err, text};
  }
  std::string text(const std::string& source, const std::vector<std::string>& more = {}) const {
    return written(source, more).second;
  }

  LanguageWorld world_;
};

INSTANTIATE_TEST_SUITE_P(Decoders, GenerateOfRun, testing::Values("gpt2", "llama"),
                         [](const auto& info) { return info.param; });

TEST_P(GenerateOfRun, ItsAdapterOnTheModelGeneratesTheSameWithAndWithoutCache) {
  const std::vector<std::pair<std::string, std::string>> methods = {
      {"lora", "lora"}, {"molex", "molex"}, {"pooled", kPooled}};
  for (const auto& [name, method] : methods) {
    SCOPED_TRACE(name);
    train(name, method);
    const std::string expected = text(name);
    EXPECT_EQ(text("model", {"--adapter", path(name) + "/adapter"}), expected);
    EXPECT_NE(text("model"), expected);
    EXPECT_EQ(parse_json(text(name, {"--cache", "none"}), "none")["text"],
              parse_json(expected, "exact")["text"]);
  }
}

TEST_P(GenerateOfRun, MolexWithReferenceCompatHasTheAveragedCacheByDefault) {
  train("reference", "{" + kReference + "}");
  const auto [output, whole] = written("reference", {});
  EXPECT_NE(output.find("cache averaged, as in the authors' code"), std::string::npos) << output;
  const auto [silent, averaged] = written("reference", {"--cache", "averaged"});
  EXPECT_EQ(silent.find("cache averaged"), std::string::npos);
  EXPECT_EQ(averaged, whole);
  EXPECT_NE(text("reference", {"--cache", "exact"}), whole);

  train("molex", "molex");
  const auto [nothing, of_molex] = written("molex", {});
  EXPECT_EQ(nothing.find("cache averaged"), std::string::npos);
  EXPECT_EQ(text("molex", {"--cache", "exact"}), of_molex);
}

// The averaged cache has no state for what routers pool.
TEST_P(GenerateOfRun, APooledRouterRejectsTheAveragedCache) {
  train("both", "{" + kReference + ", over: " + kPooled + "}");
  const auto [output, whole] = written("both", {});
  EXPECT_NE(output.find("cache exact: this model does not support the averaged cache"),
            std::string::npos)
      << output;
  EXPECT_EQ(text("both", {"--cache", "exact"}), whole);
  const CliResult result = run_cli({"generate", path("both"), "--prompt", "a", "--max-new-tokens",
                                    "4", "--cache", "averaged", "--output", path("both.jsonl")});
  EXPECT_EQ(result.code, 2);
  EXPECT_TRUE(says(result.err,
                   "cache: is averaged, which does not support expert routers that pool tokens"))
      << result.err;
  EXPECT_FALSE(fs::exists(path("both.jsonl.unfinished")));
}

}  // namespace
}  // namespace mixtune::test
