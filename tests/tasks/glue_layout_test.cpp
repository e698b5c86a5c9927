// Every layout of GLUE's files, with rows invented for this test.
#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

using Names = std::vector<std::string>;

TEST(GlueLayout, CoLaHasNoHeader) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv",
             "xx01\t1\t\tThe cat sleeps.\nxx01\t0\t*\tCat the sleeps \"odd.\n");
  const auto task = open_on("cola", folder.path());
  const DataSet& train = task->train();
  ASSERT_EQ(train.examples.size(), 2u);
  EXPECT_EQ(train.examples[0].first, "The cat sleeps.");
  EXPECT_EQ(train.examples[0].label, 1);
  EXPECT_FALSE(train.examples[0].second);
  EXPECT_EQ(train.examples[1].first, "Cat the sleeps \"odd.");
  EXPECT_EQ(train.examples[1].label, 0);
  EXPECT_EQ(train.examples[1].id, 1);
  EXPECT_EQ(task->labels(), (Names{"unacceptable", "acceptable"}));
}

TEST(GlueLayout, CoLaMayHaveAHeader) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", "sentence\tlabel\tidx\nA dog runs.\t1\t0\n");
  EXPECT_EQ(open_on("cola", folder.path())->train().examples.at(0).first, "A dog runs.");
}

TEST(GlueLayout, CoLaTestHasAHeaderAndNoLabels) {
  TemporaryFolder folder;
  write_text(folder / "test.tsv", "index\tsentence\n7\tA dog runs.\n");
  const auto task = open_on("cola", folder.path());
  const DataSet& test = task->test_sets().at(0);
  EXPECT_EQ(test.examples.at(0).label, -1);
  EXPECT_EQ(test.ids_text.at(0), "7");
}

TEST(GlueLayout, Sst2HasSentenceAndNumber) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", "sentence\tlabel\na fine film \t1\ndull \t0\n");
  const auto task = open_on("sst2", folder.path());
  EXPECT_EQ(task->train().examples.at(0).first, "a fine film ");
  EXPECT_EQ(task->train().examples.at(1).label, 0);
  EXPECT_EQ(task->labels(), (Names{"negative", "positive"}));
}

TEST(GlueLayout, MrpcHasQualityAndTwoStringsAfterAByteOrderMark) {
  for (const std::string file : {"train.tsv", "msr_paraphrase_train.txt"}) {
    TemporaryFolder folder;
    write_text(folder / file,
               "\xef\xbb\xbfQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n"
               "1\t10\t11\tHe said \"yes.\tHe agreed.\r\n0\t12\t13\tIt rained.\tIt snowed.\r\n");
    const auto task = open_on("mrpc", folder.path());
    const DataSet& train = task->train();
    ASSERT_EQ(train.examples.size(), 2u) << file;
    EXPECT_EQ(train.examples[0].first, "He said \"yes.");
    EXPECT_EQ(train.examples[0].second, "He agreed.");
    EXPECT_EQ(train.examples[0].label, 1);
    EXPECT_EQ(train.examples[1].second, "It snowed.");
    EXPECT_EQ(task->labels(), (Names{"not_equivalent", "equivalent"}));
  }
}

TEST(GlueLayout, StsBHasScores) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv",
             "index\tgenre\tfilename\tyear\told_index\tscore\tsentence1\tsentence2\n"
             "0\tmade\tup\t2020\t0001\t3.800\tA man eats.\tA man is eating.\n");
  const auto task = open_on("stsb", folder.path());
  EXPECT_TRUE(task->is_regression());
  EXPECT_EQ(task->outputs(), 1);
  EXPECT_TRUE(task->labels().empty());
  EXPECT_EQ(task->train().examples.at(0).score, 3.8);
  EXPECT_EQ(task->train().examples.at(0).second, "A man is eating.");
}

TEST(GlueLayout, QqpHasTheOfficialColumnsOrTheShortOnes) {
  for (const std::string text :
       {"id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        "5\t1\t2\tWhat is tea?\tWhat's tea?\t1\n",
        "index\tquestion1\tquestion2\tlabel\n5\tWhat is tea?\tWhat's tea?\t1\n"}) {
    TemporaryFolder folder;
    write_text(folder / "train.tsv", text);
    const auto task = open_on("qqp", folder.path());
    EXPECT_EQ(task->train().examples.at(0).second, "What's tea?");
    EXPECT_EQ(task->train().examples.at(0).label, 1);
    EXPECT_EQ(task->train().ids_text.at(0), "5");
    EXPECT_EQ(task->labels(), (Names{"not_duplicate", "duplicate"}));
  }
}

TEST(GlueLayout, MnliTakesTheGoldLabelAndNotOneAnnotators) {
  TemporaryFolder folder;
  const std::string head =
      "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t"
      "sentence1_parse\tsentence2_parse\tsentence1\tsentence2\t";
  const std::string row = "0\t1\t1n\tmade\t( a )\t( b )\t(A)\t(B)\tIt rains.\tIt is wet.\t";
  write_text(folder / "train.tsv", head + "label1\tgold_label\n" + row + "neutral\tentailment\n");
  write_text(folder / "dev_matched.tsv",
             head + "label1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label\n" + row +
                 "entailment\tneutral\tneutral\tneutral\tneutral\tneutral\n");
  write_text(folder / "dev_mismatched.tsv",
             head + "label1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label\n" + row +
                 "entailment\tneutral\tneutral\tneutral\tneutral\tcontradiction\n");
  write_text(folder / "test_matched.tsv",
             head.substr(0, head.size() - 1) + "\n" + row.substr(0, row.size() - 1) + "\n");
  const auto task = open_on("mnli", folder.path());
  EXPECT_EQ(task->train().examples.at(0).first, "It rains.");
  EXPECT_EQ(task->train().examples.at(0).label, 0);
  ASSERT_EQ(task->evaluation_sets().size(), 2u);
  EXPECT_EQ(task->evaluation_sets()[0].name, "dev");
  EXPECT_EQ(task->evaluation_sets()[0].examples.at(0).label, 1);
  EXPECT_EQ(task->evaluation_sets()[1].name, "dev_mismatched");
  EXPECT_EQ(task->evaluation_sets()[1].examples.at(0).label, 2);
  ASSERT_EQ(task->test_sets().size(), 1u);
  EXPECT_EQ(task->test_sets()[0].examples.at(0).second, "It is wet.");
  EXPECT_EQ(task->labels(), (Names{"entailment", "neutral", "contradiction"}));
}

TEST(GlueLayout, QnliRteAndWnliHaveTheLabelOrderOfHuggingFace) {
  TemporaryFolder folder;
  write_text(folder / "QNLI/train.tsv",
             "index\tquestion\tsentence\tlabel\n0\tWho?\tHim.\tentailment\n1\tWhy?\tHim.\tnot_"
             "entailment\n");
  write_text(folder / "RTE/train.tsv",
             "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tnot_entailment\n");
  write_text(folder / "WNLI/train.tsv", "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\t1\n");
  // The folder of all of GLUE works as well: each task finds its subfolder.
  const auto qnli = open_on("qnli", folder.path()), rte = open_on("rte", folder.path()),
             wnli = open_on("wnli", folder.path());
  EXPECT_EQ(qnli->train().examples.at(0).label, 0);
  EXPECT_EQ(qnli->train().examples.at(1).label, 1);
  EXPECT_EQ(rte->train().examples.at(0).label, 1);
  EXPECT_EQ(wnli->train().examples.at(0).label, 1);
  EXPECT_EQ(wnli->labels(), (Names{"not_entailment", "entailment"}));
}

TEST(GlueLayout, AFileCanBeNamedInsideTheFolderOrByItsPath) {
  TemporaryFolder folder, elsewhere;
  const std::string row = "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tentailment\n";
  write_text(folder / "other.tsv", row);
  write_text(elsewhere / "mine.tsv", row);
  const auto inside = open_task("rte", "{data: '" + folder.path().string() + "', dev: other.tsv}");
  EXPECT_EQ(inside->evaluation_sets().at(0).examples.size(), 1u);
  const auto outside = open_task("rte", "dev: '" + (elsewhere / "mine.tsv").string() + "'");
  EXPECT_EQ(outside->evaluation_sets().at(0).examples.size(), 1u);
  const auto trained = open_task("rte", "train: '" + (elsewhere / "mine.tsv").string() + "'");
  EXPECT_EQ(trained->train().examples.size(), 1u);
}

TEST(GlueLayout, ALastLineWithoutLineBreakIsRead) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", "sentence\tlabel\nfine\t1");
  EXPECT_EQ(open_on("sst2", folder.path())->train().examples.size(), 1u);
}

}  // namespace
}  // namespace mixtune::test
