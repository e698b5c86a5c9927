// Classification and regression on the user's own files.
#include <cmath>
#include <set>

#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

using Names = std::vector<std::string>;

std::string in(const fs::path& folder, const std::string& rest = "") {
  return "{data: '" + folder.string() + "'" + (rest.empty() ? "" : ", " + rest) + "}";
}

const char* const kTrain = "text\tlabel\ngood tea\tyes\nbad tea\tno\nfine\tyes\n";

TEST(Classify, DetectsTsvCsvAndJsonlByFileExtension) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"tsv", "text\tlabel\nhe said \"no\"\tno\nyes, indeed\tyes\n"},
      {"csv", "label,text\nno,\"he said \"\"no\"\"\"\nyes,\"yes, indeed\"\n"},
      {"jsonl",
       "{\"text\": \"he said \\\"no\\\"\", \"label\": \"no\"}\n"
       "{\"label\": \"yes\", \"text\": \"yes, indeed\", \"more\": 1}\n"}};
  for (const auto& [ending, text] : files) {
    TemporaryFolder folder;
    write_text(folder / ("train." + ending), text);
    const auto task = open_task("classify", in(folder.path()));
    const DataSet& train = task->train();
    ASSERT_EQ(train.examples.size(), 2u) << ending;
    EXPECT_EQ(train.examples[0].first, "he said \"no\"") << ending;
    EXPECT_EQ(train.examples[1].first, "yes, indeed") << ending;
    EXPECT_EQ(train.examples[0].label, 0);
    EXPECT_EQ(train.examples[1].label, 1);
    EXPECT_EQ(task->labels(), (Names{"no", "yes"}));
    EXPECT_EQ(task->outputs(), 2);
  }
}

TEST(Classify, TheFormatCanBeGiven) {
  TemporaryFolder folder;
  write_text(folder / "mine.txt", "text,label\na,x\nb,y\n");
  const auto task =
      open_task("classify", "{data: '" + (folder / "mine.txt").string() + "', format: csv}");
  EXPECT_EQ(task->train().examples.size(), 2u);
  EXPECT_TRUE(task->evaluation_sets().empty());
}

TEST(Classify, ColumnsAreNamedByOptions) {
  TemporaryFolder folder;
  write_text(folder / "train.csv", "q,a,kind\nWhy?,So.,1\nWho?,Me.,2\n");
  const auto task = open_task("classify", in(folder.path(), "text: q, text_pair: a, label: kind"));
  EXPECT_EQ(task->train().examples.at(1).first, "Who?");
  EXPECT_EQ(task->train().examples.at(1).second, "Me.");
  EXPECT_EQ(task->text_fields(), (Names{"q", "a"}));
}

std::vector<int64_t> groups_of(const DataSet& set) {
  std::vector<int64_t> out;
  for (const Example& example : set.examples) out.push_back(example.example_group);
  return out;
}

TEST(Classify, ExampleGroupsAreNumberedLikeLabels) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"csv", "text,label,source\na,x,world\nb,y,task\nc,x,\nd,y,task\n"},
      {"jsonl",
       "{\"text\": \"a\", \"label\": \"x\", \"source\": \"world\"}\n"
       "{\"text\": \"b\", \"label\": \"y\", \"source\": \"task\"}\n"
       "{\"text\": \"c\", \"label\": \"x\", \"source\": \"\"}\n"
       "{\"text\": \"d\", \"label\": \"y\", \"source\": \"task\"}\n"}};
  for (const auto& [ending, text] : files) {
    TemporaryFolder folder;
    write_text(folder / ("train." + ending), text);
    write_text(folder / "dev.tsv", "text\tlabel\na\tx\n");  // does not require the column
    const auto task = open_task("classify", in(folder.path(), "example_group: source"));
    EXPECT_EQ(groups_of(task->train()), (std::vector<int64_t>{1, 0, -1, 0})) << ending;
    EXPECT_EQ(groups_of(task->evaluation_sets().at(0)), std::vector<int64_t>{-1});
    EXPECT_EQ(groups_of(open_task("classify", in(folder.path()))->train()),
              std::vector<int64_t>(4, -1));
  }
}

TEST(Classify, RejectsOtherThanTwoExampleGroups) {
  TemporaryFolder folder;
  const auto error = [&](const std::string& text) {
    write_text(folder / "train.csv", text);
    return user_error(
        [&] { open_task("classify", in(folder.path(), "example_group: source"))->train(); });
  };
  const std::string missing = error("text,label\na,x\nb,y\n");
  contains(missing, "no column 'source'");
  contains(missing, "task.example_group");
  contains(error("text,label,source\na,x,1\nb,y,2\nc,x,3\n"),
           "'source' has 3 different values (1, 2, 3); expected two groups of examples");
  contains(error("text,label,source\na,x,1\nb,y,1\n"), "'source' has 1 different values (1)");
  contains(error("text,label,source\na,x,\nb,y,\n"), "'source' has 0 different values;");
}

TEST(Classify, IntegersAreOrderedAsNumbers) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", "text\tlabel\na\t10\nb\t2\nc\t-1\n");
  EXPECT_EQ(open_task("classify", in(folder.path()))->labels(), (Names{"-1", "2", "10"}));
  write_text(folder / "train.tsv", "text\tlabel\na\t10\nb\t2\nc\tx\n");
  EXPECT_EQ(open_task("classify", in(folder.path()))->labels(), (Names{"10", "2", "x"}));
}

TEST(Classify, LabelsOfJsonMayBeNumbersOrBooleans) {
  TemporaryFolder folder;
  write_text(folder / "train.jsonl",
             "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\", \"label\": 0}\n");
  EXPECT_EQ(open_task("classify", in(folder.path()))->labels(), (Names{"0", "1"}));
  write_text(folder / "train.jsonl",
             "{\"text\": \"a\", \"label\": true}\n{\"text\": \"b\", \"label\": false}\n");
  EXPECT_EQ(open_task("classify", in(folder.path()))->labels(), (Names{"false", "true"}));
}

TEST(Classify, DevAndTestUseTheLabelsOfTraining) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", kTrain);
  write_text(folder / "dev.tsv", "text\tlabel\nso so\tyes\n");
  write_text(folder / "test.tsv", "text\nanything\n");
  const auto task = open_task("classify", in(folder.path()));
  EXPECT_EQ(task->evaluation_sets().at(0).examples.at(0).label, 1);
  EXPECT_EQ(task->test_sets().at(0).examples.at(0).label, -1);
  EXPECT_EQ(task->train().examples.size(), 3u);
}

TEST(Classify, FilesCanBeNamed) {
  TemporaryFolder folder;
  write_text(folder / "a.csv", "text,label\na,x\nb,y\n");
  write_text(folder / "b.jsonl", "{\"text\": \"c\", \"label\": \"y\"}\n");
  const auto task = open_task("classify", in(folder.path(), "train: a.csv, dev: b.jsonl"));
  EXPECT_EQ(task->evaluation_sets().at(0).examples.at(0).label, 1);
  const auto paths = open_task("classify", "{train: '" + (folder / "a.csv").string() + "', dev: '" +
                                               (folder / "b.jsonl").string() + "'}");
  EXPECT_EQ(paths->evaluation_sets().at(0).examples.at(0).label, 1);
}

TEST(Classify, ALabelThatTrainingDoesNotHaveIsNamedWithItsLine) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", kTrain);
  write_text(folder / "dev.tsv", "text\tlabel\nso so\tyes\nhm\tyess\n");
  const std::string error =
      user_error([&] { open_task("classify", in(folder.path()))->evaluation_sets(); });
  contains(error, "dev.tsv:3: the label is 'yess'");
  contains(error, "Did you mean yes?");
}

TEST(Classify, OneFileIsSplitTheSameWayEveryTime) {
  TemporaryFolder folder;
  std::string text = "text,label\n";
  for (int i = 0; i < 100; ++i)
    text += "text " + std::to_string(i) + "," + (i % 2 ? "odd" : "even") + "\n";
  write_text(folder / "all.csv", text);
  const std::string options = "{data: '" + (folder / "all.csv").string() + "', dev_share: 0.2}";
  const auto task = open_task("classify", options), again = open_task("classify", options);
  ASSERT_EQ(task->evaluation_sets().size(), 1u);
  EXPECT_EQ(task->evaluation_sets()[0].examples.size(), 20u);
  EXPECT_EQ(task->evaluation_sets()[0].name, "dev");
  EXPECT_EQ(task->train().examples.size(), 80u);
  EXPECT_EQ(again->evaluation_sets()[0].examples.back().id,
            task->evaluation_sets()[0].examples.back().id);
}

TEST(Classify, ADevFileTakesPrecedenceOverAShare) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", kTrain);
  write_text(folder / "dev.tsv", "text\tlabel\nso so\tyes\n");
  const auto task = open_task("classify", in(folder.path(), "dev_share: 0.4"));
  EXPECT_EQ(task->train().examples.size(), 3u);
  EXPECT_EQ(task->evaluation_sets().at(0).examples.size(), 1u);
}

TEST(Classify, AShareThatLeavesNothingIsAnError) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", kTrain);
  contains(
      user_error([&] { open_task("classify", in(folder.path(), "dev_share: 0.01"))->train(); }),
      "a share of 0.01 of 3 examples leaves none to evaluate on");
}

TEST(Classify, SavedLabelsRequireNoDataAndTakePrecedence) {
  const auto task = open_task("classify", "max_length: 16", {"no", "yes", "maybe"});
  EXPECT_EQ(task->labels(), (Names{"no", "yes", "maybe"}));
  TemporaryFolder folder;
  write_text(folder / "train.tsv", kTrain);
  const auto trained = open_task("classify", in(folder.path()), {"yes", "no"});
  EXPECT_EQ(trained->train().examples.at(0).label, 0);
  contains(user_error([&] {
             open_task("classify", in(folder.path()), {"a", "yes"})->train();
           }),
           "train.tsv:3: the label is 'no'");
}

TEST(Classify, LimitsDoNotChangeTheLabels) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", kTrain);
  const auto task = open_task("classify", in(folder.path(), "limit_train: 1"));
  EXPECT_EQ(task->train().examples.size(), 1u);
  EXPECT_EQ(task->labels().size(), 2u);
}

TEST(Classify, AMissingColumnListsTheOnesThatAreThere) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", "sentence\tlabel\na\tx\nb\ty\n");
  const std::string error = user_error([&] { open_task("classify", in(folder.path()))->train(); });
  contains(error, "there is no column 'text'; found sentence, label");
  contains(error, "task.text");
}

TEST(Classify, ASingleLabelIsAnError) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", "text\tlabel\na\tx\nb\tx\n");
  contains(user_error([&] { open_task("classify", in(folder.path()))->train(); }),
           "only the label 'x'");
}

TEST(Classify, TooManyDistinctNumbersAreAnError) {
  TemporaryFolder folder;
  std::string text = "text,label\n";
  for (int i = 0; i < 1100; ++i) text += "t," + std::to_string(i) + ".5\n";
  write_text(folder / "train.csv", text);
  const std::string error = user_error([&] { open_task("classify", in(folder.path()))->train(); });
  contains(error, "1100 different labels");
  contains(error, "task.score");
}

TEST(Classify, ScoresMakeARegression) {
  TemporaryFolder folder;
  write_text(folder / "train.csv", "text,stars\na,1.5\nb,-2\nc,3e1\n");
  const auto task = open_task("classify", in(folder.path(), "score: stars"));
  EXPECT_TRUE(task->is_regression());
  EXPECT_EQ(task->outputs(), 1);
  EXPECT_TRUE(task->labels().empty());
  EXPECT_EQ(task->train().examples.at(2).score, 30);
  const auto metrics = task->metrics(task->train(), {.scores = {1.5, -2, 27}});
  ASSERT_EQ(metrics.size(), 3u);
  EXPECT_EQ(metrics[2].name, "mean_squared_error");
  EXPECT_DOUBLE_EQ(metrics[2].value, 3);
  EXPECT_EQ(task->main_metric(), "pearson");
  write_text(folder / "train.csv", "text,stars\na,many\n");
  contains(user_error([&] { open_task("classify", in(folder.path(), "score: stars"))->train(); }),
           "train.csv:2: the score is 'many'; expected a number");
}

// By hand: labels 0 1 1 0, predictions 0 1 0 0: accuracy 3/4, F1 of class 1 2/3, of class 0 4/5.
TEST(Classify, MetricsOfTwoLabelsIncludeTheF1OfTheSecond) {
  const auto task = open_task("classify", "max_length: 16", {"no", "yes"});
  DataSet set{.name = "dev"};
  for (const int64_t label : {0, 1, 1, 0}) set.examples.push_back({.label = label});
  const auto metrics = task->metrics(set, {.labels = {0, 1, 0, 0}});
  ASSERT_EQ(metrics.size(), 4u);
  EXPECT_DOUBLE_EQ(metrics[0].value, 0.75);
  EXPECT_EQ(metrics[1].name, "f1");
  EXPECT_DOUBLE_EQ(metrics[1].value, 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics[2].value, (2.0 / 3 + 0.8) / 2);
  EXPECT_NEAR(metrics[3].value, 1 / std::sqrt(3.0), 1e-15);
  EXPECT_EQ(open_task("classify", "best: f1_macro", {"a", "b", "c"})
                ->metrics(set, {.labels = {0, 1, 0, 0}})
                .size(),
            3u);
  EXPECT_EQ(open_task("classify", "best: f1_macro")->main_metric(), "f1_macro");
}

TEST(Classify, OptionsThatExcludeEachOtherAreNamed) {
  contains(user_error([] { open_task("classify", "{label: a, score: b}"); }), "score");
  contains(user_error([] { open_task("classify", "best: pearson"); }),
           "accuracy, f1_macro or matthews");
}

}  // namespace
}  // namespace mixtune::test
