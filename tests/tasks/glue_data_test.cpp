// The real files, if they are present: row counts equal those of their README, labels are in range,
// and every text is read.
#include "tasks/distribution.h"
#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

struct Counts {
  std::string task, folder;
  size_t train, dev;
};

TEST(GlueData, HasTheRowCountsOfItsReadme) {
  const fs::path glue = data_dir() / "glue";
  if (!fs::exists(glue)) GTEST_SKIP() << "no data folder " << glue << " (set MIXTUNE_DATA)";
  const std::vector<Counts> expected = {{"cola", "CoLA", 8551, 1043}, {"sst2", "SST-2", 67349, 872},
                                        {"rte", "RTE", 2490, 277},    {"stsb", "STS-B", 5749, 1500},
                                        {"qnli", "QNLI", 8999, 1000}, {"mnli", "MNLI", 8999, 1000},
                                        {"qqp", "QQP", 8999, 1000}};
  for (const Counts& counts : expected) {
    const auto task = open_on(counts.task, glue / counts.folder);
    EXPECT_EQ(task->train().examples.size(), counts.train) << counts.task;
    ASSERT_EQ(task->evaluation_sets().size(), 1u) << counts.task;
    EXPECT_EQ(task->evaluation_sets()[0].examples.size(), counts.dev) << counts.task;
    EXPECT_EQ(open_on(counts.task, glue)->train().examples.size(), counts.train);
    if (task->is_regression()) continue;
    for (const int64_t count : label_counts(task->train(), task->outputs())) EXPECT_GT(count, 0);
  }
}

TEST(GlueData, TestAndFullDevSetsAreRead) {
  const fs::path glue = data_dir() / "glue";
  if (!fs::exists(glue)) GTEST_SKIP() << "no data folder " << glue << " (set MIXTUNE_DATA)";
  EXPECT_EQ(open_on("stsb", glue)->test_sets().at(0).examples.size(), 1379u);
  const auto qnli = open_task("qnli", "{data: '" + glue.string() + "', dev: dev_full.tsv}");
  EXPECT_EQ(qnli->evaluation_sets().at(0).examples.size(), 5463u);
}

TEST(GlueData, TheRteMajorityIsThatOfTheFiles) {
  const fs::path glue = data_dir() / "glue";
  if (!fs::exists(glue)) GTEST_SKIP() << "no data folder " << glue << " (set MIXTUNE_DATA)";
  const auto task = open_on("rte", glue);
  EXPECT_DOUBLE_EQ(majority_accuracy(task->train(), task->evaluation_sets()[0]), 146.0 / 277);
}

TEST(ShippedQnli, IsBalancedAndSharesNoTextBetweenItsSets) {
  const auto task = open_on("qnli", source_dir() / "examples" / "quickstart" / "qnli");
  const DataSet& train = task->train();
  const DataSet& dev = task->evaluation_sets().at(0);
  EXPECT_EQ(label_counts(train, 2), (std::vector<int64_t>{750, 750}));
  EXPECT_EQ(label_counts(dev, 2), (std::vector<int64_t>{250, 250}));
  std::vector<std::string> texts;
  for (const DataSet* set : {&train, &dev})
    for (const Example& example : set->examples) {
      texts.push_back("question " + example.first);
      texts.push_back("sentence " + *example.second);
    }
  std::sort(texts.begin(), texts.end());
  EXPECT_EQ(std::adjacent_find(texts.begin(), texts.end()), texts.end());
}

}  // namespace
}  // namespace mixtune::test
