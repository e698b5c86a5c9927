// Malformed GLUE files: every error names the place, what was expected and what to do.
#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

std::string train_error(const std::string& task, const std::string& text) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", text);
  return user_error([&] { open_on(task, folder.path())->train(); });
}

TEST(GlueMalformed, ALineWithTooFewColumnsIsNamed) {
  const std::string error = train_error(
      "rte", "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tentailment\n1\tA.\tentailment\n");
  contains(error, "train.tsv:3: found 3 columns; expected 4.");
  contains(error, "Repair the line");
}

TEST(GlueMalformed, ALineWithTooManyColumnsIsNamedInQqpToo) {
  contains(train_error("qqp", "question1\tquestion2\tlabel\nA?\tB?\t1\t1\n"),
           "train.tsv:2: found 4 columns; expected 3.");
}

TEST(GlueMalformed, ShortLinesOfQqpAreSkippedAndCounted) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv",
             "id\tquestion1\tquestion2\tis_duplicate\n0\tA?\tB?\t1\n1\tbroken\n"
             "2\tC?\tD?\t0\nhalf\n");
  const auto task = open_on("qqp", folder.path());
  ASSERT_EQ(task->train().examples.size(), 2u);
  EXPECT_EQ(task->train().examples[1].id, 2);
  ASSERT_EQ(task->train().warnings.size(), 1u);
  contains(task->train().warnings[0],
           "2 lines with too few columns were left out, the first is line 3");
}

TEST(GlueMalformed, AnUnknownLabelIsNamedWithTheKnownOnes) {
  const std::string error =
      train_error("rte", "sentence1\tsentence2\tlabel\nA.\tB.\tentailment\nA.\tB.\tmaybe\n");
  contains(error, "train.tsv:3: the label is 'maybe'; expected entailment or not_entailment");
  contains(train_error("sst2", "sentence\tlabel\nfine\t2\n"),
           "the label is '2'; expected 0 (negative) or 1 (positive)");
}

TEST(GlueMalformed, ANumberIsRejectedIfNamesAreExpected) {
  contains(train_error("rte", "sentence1\tsentence2\tlabel\nA.\tB.\t1\n"),
           "the label is '1'; expected entailment or not_entailment. Use the name of the label.");
}

TEST(GlueMalformed, AnEmptyLabelIsAnErrorInTraining) {
  contains(train_error("sst2", "sentence\tlabel\nfine\t\n"), "train.tsv:2: the label is ''");
}

TEST(GlueMalformed, AScoreOutsideItsRangeIsNamed) {
  const std::string head = "score\tsentence1\tsentence2\n";
  contains(train_error("stsb", head + "5.2\tA.\tB.\n"),
           "the score is '5.2'; expected a number from 0 to 5");
  contains(train_error("stsb", head + "high\tA.\tB.\n"), "the score is 'high'");
  contains(train_error("stsb", head + "nan\tA.\tB.\n"), "the score is 'nan'");
}

TEST(GlueMalformed, AMissingColumnIsNamed) {
  contains(train_error("qnli", "index\tquestion\tlabel\n0\tWho?\tentailment\n"),
           "train.tsv:1: found 3 columns, 'index' first; expected a header line with question, "
           "sentence, "
           "label.");
  contains(train_error("mrpc", "1\t2\t3\tA.\tB.\n"), "#1 String or sentence1");
  contains(train_error("cola", "xx01\t1\tA dog runs.\n"), "train.tsv:1: found 3 columns");
}

TEST(GlueMalformed, BytesThatAreNotUtf8AreNamed) {
  contains(train_error("sst2",
                       "sentence\tlabel\nfine\t1\nfa\xe7"
                       "ade\t0\n"),
           "train.tsv:3: byte 3 of the line is not UTF-8");
}

TEST(GlueMalformed, AnEmptyFileIsAnError) {
  contains(train_error("sst2", "sentence\tlabel\n"), "the file has no examples");
  contains(train_error("sst2", ""), "the file has no examples");
}

TEST(GlueMalformed, AnEmptyTextIsCounted) {
  TemporaryFolder folder;
  write_text(folder / "train.tsv", "sentence\tlabel\n\t1\nfine\t1\n");
  const auto task = open_on("sst2", folder.path());
  ASSERT_EQ(task->train().warnings.size(), 1u);
  contains(task->train().warnings[0], "1 examples have an empty text");
}

TEST(GlueMalformed, AMissingFileErrorListsTheFolder) {
  TemporaryFolder folder;
  write_text(folder / "training.tsv", "sentence\tlabel\n");
  const std::string error = user_error([&] { open_on("sst2", folder.path())->train(); });
  contains(error, "found training.tsv; expected train.tsv");
  contains(error, "task.train");
  contains(user_error([&] { open_on("sst2", folder.path())->evaluation_sets(); }),
           "expected dev.tsv");
  contains(user_error([&] { open_on("mnli", folder.path())->evaluation_sets(); }),
           "expected dev_matched.tsv or dev.tsv");
  EXPECT_TRUE(open_on("sst2", folder.path())->test_sets().empty());
}

TEST(GlueMalformed, MissingDataIsNamed) {
  contains(user_error([] { open_task("rte", "max_length: 8")->train(); }),
           "task.data: no folder is given. Set task.data to the folder of RTE.");
  contains(user_error([] { open_task("rte", "data: /no/such/folder")->train(); }),
           "does not exist");
  TemporaryFolder folder;
  write_text(folder / "a.tsv", "x");
  contains(user_error([&] { open_on("rte", folder / "a.tsv")->train(); }), "is a file");
  contains(
      user_error([&] {
        open_task("rte", "{data: '" + folder.path().string() + "', dev: b.tsv}")->evaluation_sets();
      }),
      "task.dev: there is no file 'b.tsv'");
}

TEST(GlueMalformed, SavedLabelsOfAnotherTaskAreRejected) {
  const std::string error = user_error([] {
    open_task("rte", "max_length: 8", {"not_entailment", "entailment"});
  });
  contains(error,
           "the saved labels are not_entailment, entailment; expected entailment, not_entailment");
}

}  // namespace
}  // namespace mixtune::test
