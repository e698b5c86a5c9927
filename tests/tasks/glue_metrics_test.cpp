// Official metrics and submission files of GLUE.
#include <cmath>

#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

DataSet labeled_set(const std::string& name, const std::vector<int64_t>& labels) {
  DataSet set{.name = name};
  for (const int64_t label : labels)
    set.examples.push_back({.id = static_cast<int64_t>(set.examples.size()), .label = label});
  return set;
}

double value(const std::vector<MetricValue>& metrics, const std::string& name) {
  for (const MetricValue& metric : metrics)
    if (metric.name == name) return metric.value;
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

std::unique_ptr<Task> task_of(const std::string& name) {
  return open_task(name, "max_length: 64");
}

TEST(GlueMetrics, AreTheOfficialOnes) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> expected = {
      {"cola", {"matthews"}},      {"sst2", {"accuracy"}}, {"mrpc", {"accuracy", "f1"}},
      {"qqp", {"accuracy", "f1"}}, {"mnli", {"accuracy"}}, {"qnli", {"accuracy"}},
      {"rte", {"accuracy"}},       {"wnli", {"accuracy"}}};
  for (const auto& [name, metrics] : expected) {
    const auto task = task_of(name);
    std::vector<std::string> found;
    for (const MetricValue& metric : task->metrics(labeled_set("dev", {0, 1}), {.labels = {0, 1}}))
      found.push_back(metric.name);
    EXPECT_EQ(found, metrics) << name;
    EXPECT_EQ(task->main_metric(), metrics.front());
  }
}

// By hand: labels 1 1 0 0, predictions 1 0 0 0: accuracy 3/4, F1 of class 1 2/3.
TEST(GlueMetrics, OfMrpcAreAccuracyAndF1) {
  const auto metrics =
      task_of("mrpc")->metrics(labeled_set("dev", {1, 1, 0, 0}), {.labels = {1, 0, 0, 0}});
  EXPECT_DOUBLE_EQ(value(metrics, "accuracy"), 0.75);
  EXPECT_DOUBLE_EQ(value(metrics, "f1"), 2.0 / 3);
}

TEST(GlueMetrics, OfStsBAreCorrelations) {
  DataSet set{.name = "dev"};
  for (const double score : {1.0, 2.0, 3.0}) set.examples.push_back({.score = score});
  const auto task = task_of("stsb");
  const auto metrics = task->metrics(set, {.scores = {1, 1, 3}});
  EXPECT_NEAR(value(metrics, "pearson"), 2 / std::sqrt(48.0 / 9), 1e-15);
  EXPECT_NEAR(value(metrics, "spearman"), std::sqrt(3.0) / 2, 1e-15);  // ranks 1.5, 1.5, 3
  EXPECT_EQ(task->main_metric(), "pearson");
}

TEST(GlueMetrics, OfTheMismatchedSetHaveTheirOwnName) {
  const auto metrics =
      task_of("mnli")->metrics(labeled_set("dev_mismatched", {2, 1}), {.labels = {2, 2}});
  EXPECT_DOUBLE_EQ(value(metrics, "accuracy_mismatched"), 0.5);
}

TEST(GlueMetrics, CountOnlyLabeledExamples) {
  const auto task = task_of("rte");
  EXPECT_DOUBLE_EQ(
      value(task->metrics(labeled_set("dev", {0, -1, 1}), {.labels = {0, 0, 1}}), "accuracy"), 1);
  EXPECT_TRUE(task->metrics(labeled_set("test", {-1}), {.labels = {0}}).empty());
}

TEST(GlueMetrics, RejectPredictionsOfAnotherLength) {
  EXPECT_THROW(task_of("rte")->metrics(labeled_set("dev", {0, 1}), {.labels = {0}}), BugError);
}

TEST(GlueSubmission, HasNamesOrNumbersAsTheTrainingFile) {
  DataSet set = labeled_set("test", {-1, -1});
  set.ids_text = {"10", "11"};
  const Predictions predictions{.labels = {1, 0}};
  const auto rte = task_of("rte")->submission(set, predictions);
  ASSERT_TRUE(rte);
  EXPECT_EQ(rte->file, "RTE.tsv");
  EXPECT_EQ(rte->text, "index\tprediction\n10\tnot_entailment\n11\tentailment\n");
  const auto cola = task_of("cola")->submission(set, predictions);
  EXPECT_EQ(cola->file, "CoLA.tsv");
  EXPECT_EQ(cola->text, "index\tprediction\n10\t1\n11\t0\n");
}

TEST(GlueSubmission, HasScoresOfThreeDecimalsFromZeroToFive) {
  DataSet set{.name = "test", .examples = std::vector<Example>(3)};
  for (int64_t i = 0; i < 3; ++i) set.examples[static_cast<size_t>(i)].id = i;
  const auto file = task_of("stsb")->submission(set, {.scores = {-0.2, 2.34567, 5.1}});
  EXPECT_EQ(file->text, "index\tprediction\n0\t0.000\n1\t2.346\n2\t5.000\n");
}

TEST(GlueSubmission, HasTheOfficialFileNames) {
  const std::vector<std::tuple<std::string, std::string, std::string>> expected = {
      {"cola", "test", "CoLA.tsv"},     {"sst2", "test", "SST-2.tsv"},
      {"mrpc", "test", "MRPC.tsv"},     {"qqp", "test", "QQP.tsv"},
      {"mnli", "test", "MNLI-m.tsv"},   {"mnli", "test_mismatched", "MNLI-mm.tsv"},
      {"mnli", "diagnostic", "AX.tsv"}, {"qnli", "test", "QNLI.tsv"},
      {"rte", "test", "RTE.tsv"},       {"wnli", "test", "WNLI.tsv"}};
  for (const auto& [task, set, file] : expected)
    EXPECT_EQ(task_of(task)->submission(labeled_set(set, {-1}), {.labels = {0}})->file, file);
  EXPECT_FALSE(task_of("rte")->submission(labeled_set("dev", {0}), {.labels = {0}}));
}

}  // namespace
}  // namespace mixtune::test
