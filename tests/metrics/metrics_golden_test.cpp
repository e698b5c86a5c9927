// Every golden case of kind "metrics": numbers of scikit-learn and scipy, degenerate inputs
// included. All values of a case are checked: an unknown section or number fails. Where scipy
// raises an error (Pearson of one item) the case has "error: ..." and the result must be NaN.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "metrics/accuracy.h"
#include "metrics/f1.h"
#include "metrics/matthews.h"
#include "metrics/pearson.h"
#include "metrics/spearman.h"
#include "support/golden.h"

namespace mixtune::test {
namespace {

using Named = std::map<std::string, double>;

double number(const Json& value) {
  if (value.is_number()) return value.get<double>();
  const auto text = value.get<std::string>();
  const double infinity = std::numeric_limits<double>::infinity();
  if (text == "inf") return infinity;
  if (text == "-inf") return -infinity;
  EXPECT_TRUE(text == "nan" || text.starts_with("error:")) << text;
  return std::numeric_limits<double>::quiet_NaN();
}

std::vector<double> numbers(const Json& values) {
  std::vector<double> out;
  for (const Json& value : values) out.push_back(number(value));
  return out;
}

Named classification(const Json& item) {
  const auto labels = item.at("labels").get<std::vector<int64_t>>();
  const auto predictions = item.at("predictions").get<std::vector<int64_t>>();
  const ClassScores positive = class_scores(labels, predictions, 1);
  const AveragedF1 averages = averaged_f1(labels, predictions);
  return {{"accuracy", accuracy(labels, predictions)},
          {"matthews", matthews(labels, predictions)},
          {"f1", positive.f1},
          {"precision", positive.precision},
          {"recall", positive.recall},
          {"f1_macro", averages.macro},
          {"f1_micro", averages.micro},
          {"f1_weighted", averages.weighted}};
}

Named regression(const Json& item) {
  const std::vector<double> labels = numbers(item.at("labels"));
  const std::vector<double> predictions = numbers(item.at("predictions"));
  const double p = pearson(labels, predictions), s = spearman(labels, predictions);
  return {{"pearson", p}, {"spearman", s}, {"glue_stsb_average", (p + s) / 2}};
}

// Compares the item's values with `ours`; returns the number of values compared.
int64_t compare(const Json& item, const Named& ours, double tolerance) {
  static const std::set<std::string> kInputs = {"name", "labels", "predictions", "warnings"};
  int64_t values = 0;
  for (const auto& [key, expected] : item.items()) {
    if (kInputs.contains(key)) continue;
    const auto found = ours.find(key);
    if (found == ours.end()) {
      ADD_FAILURE() << "no function computes " << key;
      continue;
    }
    const double want = number(expected), got = found->second;
    EXPECT_TRUE((std::isnan(want) && std::isnan(got)) ||
                std::abs(got - want) <= allowed_at(want, tolerance))
        << key << " is " << got << ", expected " << want;
    ++values;
  }
  return values;
}

int64_t check(const Json& content) {
  static const std::set<std::string> kAbout = {"kind", "tolerances", "made_with", "note"};
  const double tolerance = content.at("tolerances").at("abs").get<double>();
  int64_t values = 0;
  for (const auto& [section, items] : content.items()) {
    if (kAbout.contains(section)) continue;
    for (const Json& item : items) {
      SCOPED_TRACE(section + " " + item.at("name").get<std::string>());
      if (section == "classification")
        values += compare(item, classification(item), tolerance);
      else if (section == "regression")
        values += compare(item, regression(item), tolerance);
      else
        ADD_FAILURE() << "no checker for the section " << section;
    }
  }
  return values;
}

void check_metrics(const GoldenCase& one, GoldenTally& tally) {
  tally.checked(one, check(one.json));
}

MIXTUNE_GOLDEN_CHECKER(metrics, check_metrics);

}  // namespace
}  // namespace mixtune::test
