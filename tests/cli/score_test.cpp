#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "run_cli.h"
#include "support/paths.h"

namespace mixtune::test {
namespace {

class Score : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    write_file_atomically(folder_ / name, text);
    return (folder_ / name).string();
  }
  CliResult score(const std::string& references, const std::string& outputs,
                  std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"score",    "e2e",       "--references",
                                          references, "--outputs", outputs};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_cli(arguments);
  }
  TemporaryFolder folder_;
};

TEST_F(Score, PrintsOneJsonObject) {
  const CliResult result = score(file("r.csv", "mr,ref\na,a b c d\na,a b\nb,x y z w\n"),
                                 file("o.txt", "a b c d\nx y z w\n"), {"--json"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "");
  const Json out = parse_json(result.out, "stdout");
  EXPECT_EQ(out.at("metrics").size(), 6u);
  EXPECT_NEAR(out.at("metrics").at("bleu").get<double>(), 1, 1e-12);
  EXPECT_NEAR(out.at("metrics").at("rouge_l").get<double>(), 1, 1e-12);
  EXPECT_NEAR(out.at("metrics").at("chrf").get<double>(), 100, 1e-9);
  for (const std::string name : {"nist", "cider", "meteor"})
    EXPECT_GT(out.at("metrics").at(name).get<double>(), 0) << name;
  EXPECT_EQ(out.at("outputs"), 2);
  EXPECT_EQ(out.at("references"), 3);
  EXPECT_EQ(out.at("empty_outputs"), 0);
}

TEST_F(Score, PrintsATableForPeople) {
  const CliResult result = score(file("r.txt", "a||a b c d\n"), file("o.txt", "a b c d\n"));
  EXPECT_EQ(result.code, 0);
  EXPECT_TRUE(says(result.out, "e2e: 1 outputs, 1 references\n")) << result.out;
  EXPECT_TRUE(says(result.out, "  bleu       1.0000\n")) << result.out;
  EXPECT_TRUE(says(result.out, "  chrf     100.0000\n")) << result.out;
}

TEST_F(Score, ReportsWhatIsEmpty) {
  const CliResult result =
      score(file("r.csv", "mr,ref\na,\nb,x y\nb,\n"), file("o.txt", "a\n\n"), {"--json"});
  EXPECT_EQ(result.code, 0);
  EXPECT_TRUE(says(result.err, "o.txt: 1 of the outputs are empty")) << result.err;
  EXPECT_TRUE(says(result.err, "r.csv: 2 of the references are empty")) << result.err;
  EXPECT_TRUE(says(result.err,
                   "r.csv: 1 of the meanings have no reference text; their outputs score 0, and "
                   "chrf leaves them out"))
      << result.err;
  const Json out = parse_json(result.out, "stdout");
  EXPECT_EQ(out.at("empty_outputs"), 1);
  EXPECT_EQ(out.at("empty_references"), 2);
  EXPECT_EQ(out.at("without_reference"), 1);
}

TEST_F(Score, WritesALineForEachSegment) {
  const std::string segments = (folder_ / "s.jsonl").string();
  const CliResult result =
      score(file("r.csv", "mr,ref\nname[A],a b\nname[B],c\n"),
            file("o.tsv", "MR\toutput\nname[B]\tc\nname[A]\ta x\n"), {"--segments", segments});
  EXPECT_EQ(result.code, 0);
  const std::string lines = read_file(segments);
  ASSERT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  const Json first = parse_json(lines.substr(0, lines.find('\n')), "first line");
  EXPECT_EQ(first.at("segment"), 1);
  EXPECT_EQ(first.at("meaning"), "name[B]");
  EXPECT_EQ(first.at("output"), "c");
  EXPECT_NEAR(first.at("rouge_l").get<double>(), 1, 1e-12);
  for (const std::string name : {"bleu", "sent_bleu", "nist", "cider", "meteor", "chrf"})
    EXPECT_TRUE(first.at(name).is_number()) << name;
}

TEST_F(Score, MistakesAreOneLine) {
  const std::string refs = file("r.csv", "mr,ref\na,A.\nb,B.\n"), outs = file("o.txt", "A.\n");
  expect_mistake(score(refs, outs), "has 1 outputs; expected 2, one for each meaning");
  expect_mistake(score(refs, "/nowhere/o.txt"), "/nowhere/o.txt");
  expect_mistake(score("/nowhere/r.csv", outs), "/nowhere/r.csv");
  expect_mistake(score(refs, file("e.txt", "")), "e.txt: is empty");
  expect_mistake(score(refs, file("u.txt", "A\n\xFF\n")),
                 "u.txt:2: contains a byte that is not UTF-8");
  expect_mistake(score(file("m.csv", "mr,ref\na,\"A\n"), outs), "m.csv:2: opens a quote");
  expect_mistake(run_cli({"score", "e2", "--references", refs, "--outputs", outs}),
                 "cannot score the task 'e2'. Did you mean e2e?");
  expect_mistake(run_cli({"score", "e2e", "--references", refs}), "--outputs");
}

TEST_F(Score, ScoresASystemOfTheE2eChallenge) {
  const fs::path e2e = data_dir() / "e2e";
  if (!fs::exists(e2e)) GTEST_SKIP() << "no data folder " << e2e << " (set MIXTUNE_DATA)";
  const CliResult result =
      score((e2e / "testset_w_refs.csv").string(), (e2e / "system_outputs/tgen.tsv").string());
  EXPECT_TRUE(says(result.out, "e2e: 630 outputs, 4,693 references\n")) << result.out;
  EXPECT_TRUE(says(result.out, "  bleu       0.6593\n  nist       8.6094\n")) << result.out;
}

}  // namespace
}  // namespace mixtune::test
