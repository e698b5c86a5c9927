// Every golden case of kind "text_metrics": chrF of sacrebleu and METEOR of nltk, for each segment.
// Words are given: tokenization is tested separately.
#include <gtest/gtest.h>

#include "metrics/chrf.h"
#include "metrics/meteor.h"
#include "support/golden.h"

namespace mixtune::test {
namespace {

int64_t compare_segments(const Json& content) {
  const double tolerance = content.at("tolerances").at("abs");
  std::vector<TextSegment> texts;
  std::vector<double> chrfs;
  for (const Json& one : content.at("segments")) {
    texts.push_back({one.at("output"), one.at("references")});
    chrfs.push_back(one.at("chrf"));
    EXPECT_NEAR(meteor({one.at("output_words"), one.at("reference_words")}), one.at("meteor"),
                allowed_at(one.at("meteor"), tolerance))
        << "meteor of '" << texts.back().output << "'";
  }
  const ChrfScores scores = chrf(texts);
  for (size_t i = 0; i < texts.size(); ++i)
    EXPECT_NEAR(scores.segments[i], chrfs[i], allowed_at(chrfs[i], tolerance))
        << "chrf of '" << texts[i].output << "'";
  const double system = content.at("system_chrf");
  EXPECT_NEAR(scores.system, system, allowed_at(system, tolerance));
  return 2 * static_cast<int64_t>(texts.size()) + 1;
}

void check_text_metrics(const GoldenCase& one, GoldenTally& tally) {
  tally.checked(one, compare_segments(one.json));
}

MIXTUNE_GOLDEN_CHECKER(text_metrics, check_text_metrics);

}  // namespace
}  // namespace mixtune::test
