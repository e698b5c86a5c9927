// The official numbers of the E2E challenge: BLEU and NIST of ten systems to every printed digit,
// and the scores of single segments.
#include "tasks/e2e_score.h"

#include <fmt/format.h>

#include <map>

#include "base/json.h"
#include "base/scalars.h"
#include "files/table.h"
#include "tasks/e2e_read.h"
#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

using Named = std::map<std::string, double>;

Named named(const std::vector<MetricValue>& metrics) {
  Named out;
  for (const MetricValue& metric : metrics) out[metric.name] = metric.value;
  return out;
}

E2eScores score_files(const fs::path& references_path, const fs::path& outputs_path,
                      E2eDetail detail) {
  const auto references = read_e2e_references(references_path);
  const E2eOutputs outputs = read_e2e_outputs(outputs_path);
  const auto groups = align_e2e(references, references_path, outputs, outputs_path);
  std::vector<TextSegment> segments;
  for (size_t i = 0; i < groups.size(); ++i)
    segments.push_back({outputs.texts[i], groups[i]->texts});
  return score_e2e(segments, detail);
}

std::string four_digits(double value) {
  return fmt::format("{:.4f}", value);
}

void expect_official(const Named& scores, const Json& expected, const std::string& name) {
  EXPECT_EQ(four_digits(scores.at("bleu")),
            four_digits(expected.at("BLEU_mteval_v13a").get<double>()))
      << name;
  EXPECT_EQ(four_digits(scores.at("nist")),
            four_digits(expected.at("NIST_mteval_v13a").get<double>()))
      << name;
  // The file's words come from another replacement for Stanford's tokenizer.
  EXPECT_NEAR(scores.at("rouge_l"), expected.at("ROUGE_L").get<double>(), 0.0002) << name;
  EXPECT_NEAR(scores.at("cider"), expected.at("CIDEr").get<double>(), 0.001) << name;
}

TEST(E2eScore, IsTheOfficialOneForEverySystem) {
  const fs::path e2e = data_dir() / "e2e";
  if (!fs::exists(e2e)) GTEST_SKIP() << "no data folder " << e2e << " (set MIXTUNE_DATA)";
  const Json expected = read_json(e2e / "expected_scores.json");
  int systems = 0;
  for (const auto& [name, scores] : expected.items()) {
    if (!name.ends_with(".tsv")) continue;
    expect_official(named(score_files(e2e / "testset_w_refs.csv", e2e / "system_outputs" / name,
                                      E2eDetail::system)
                              .metrics),
                    scores, name);
    ++systems;
  }
  EXPECT_EQ(systems, 10);
}

TEST(E2eScore, IsTheOfficialOneForTheExampleOfTheScorer) {
  const fs::path e2e = data_dir() / "e2e";
  if (!fs::exists(e2e)) GTEST_SKIP() << "no data folder " << e2e << " (set MIXTUNE_DATA)";
  const fs::path example = e2e / "metrics_example";
  expect_official(named(score_files(example / "devel-conc.txt", example / "baseline-output.txt",
                                    E2eDetail::system)
                            .metrics),
                  read_json(e2e / "expected_scores.json").at("example-inputs (10 instances)"),
                  "example");
}

// METEOR's column is from METEOR 1.5, which uses synonyms and paraphrases, unlike ours.
TEST(E2eScore, OfEachSegmentIsTheOfficialOne) {
  const fs::path e2e = data_dir() / "e2e";
  if (!fs::exists(e2e)) GTEST_SKIP() << "no data folder " << e2e << " (set MIXTUNE_DATA)";
  const fs::path file = e2e / "segment_scores" / "tnt1.tsv";
  const E2eScores scores = score_files(e2e / "testset_w_refs.csv", file, E2eDetail::segments);
  const Table table = read_tsv(file);
  ASSERT_EQ(scores.segments.size(), table.rows.size());
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const Named ours = named(scores.segments[row]);
    for (const auto& [column, name] : std::map<std::string, std::string>{{"BLEU", "bleu"},
                                                                         {"sentBLEU", "sent_bleu"},
                                                                         {"NIST", "nist"},
                                                                         {"ROUGE_L", "rouge_l"},
                                                                         {"CIDEr", "cider"}})
      EXPECT_NEAR(ours.at(name), parse_number(table.rows[row][table.column(column)]).value(),
                  0.00005 + 1e-9)
          << table.where(row) << ' ' << column;
  }
}

// Numbers of sacrebleu 2.6.0 and of nltk 3.10.4 (without synonyms, on the words of Stanford's
// tokenizer) for one system.
TEST(E2eScore, EqualsSacrebleuAndNltk) {
  const fs::path e2e = data_dir() / "e2e";
  if (!fs::exists(e2e)) GTEST_SKIP() << "no data folder " << e2e << " (set MIXTUNE_DATA)";
  const Named scores = named(score_files(e2e / "testset_w_refs.csv",
                                         e2e / "system_outputs" / "zhaw2.tsv", E2eDetail::system)
                                 .metrics);
  EXPECT_NEAR(scores.at("chrf"), 69.98983625569835, 1e-9);
  EXPECT_NEAR(scores.at("meteor"), 0.7852244890819862, 1e-12);
  EXPECT_NEAR(scores.at("cider"), 1.918840029997274, 1e-9);
  EXPECT_NEAR(scores.at("rouge_l"), 0.6119192831536098, 1e-12);
}

TEST(E2eScore, OfEmptyOutputsAndReferencesIsANumber) {
  const std::vector<TextSegment> segments = {
      {"", {"a b"}}, {"a b", {}}, {"a b", {""}}, {"a b c d", {"a b c d", "x"}}};
  const E2eScores scores = score_e2e(segments, E2eDetail::segments);
  for (const MetricValue& metric : scores.metrics) {
    EXPECT_TRUE(metric.value > 0 && metric.value < 100) << metric.name << ' ' << metric.value;
    for (size_t i = 0; i < 3; ++i) EXPECT_LT(named(scores.segments[i]).at(metric.name), 1e-6);
  }
  for (const MetricValue& metric : score_e2e({}, E2eDetail::system).metrics)
    EXPECT_EQ(metric.value, 0) << metric.name;
}

TEST(E2eScore, CountsAnOutputWithoutReferencesAsZeroExceptInChrf) {
  const std::vector<TextSegment> whole = {{"a b c d", {"a b c d"}}, {"x y z w", {"x y z"}}};
  std::vector<TextSegment> more = whole;
  more.push_back({"p q r s", {""}});
  const Named before = named(score_e2e(whole, E2eDetail::system).metrics);
  const Named after = named(score_e2e(more, E2eDetail::system).metrics);
  EXPECT_EQ(after.at("chrf"), before.at("chrf"));
  EXPECT_LT(after.at("bleu"), before.at("bleu"));
  for (const std::string name : {"rouge_l", "meteor"})
    EXPECT_NEAR(after.at(name), before.at(name) * 2 / 3, 1e-12) << name;
}

TEST(E2eScore, LowercasesLettersThatAreNotAscii) {
  const std::vector<TextSegment> segments = {{"CAF\u00C9", {"caf\u00E9"}}, {"x", {"y"}}};
  EXPECT_NEAR(named(score_e2e(segments, E2eDetail::system).metrics).at("rouge_l"), 0.5, 1e-15);
}

}  // namespace
}  // namespace mixtune::test
