#include "files/table.h"

#include <gtest/gtest.h>

#include "files/json_lines.h"
#include "files/raw_file.h"

namespace mixtune::test {
namespace {

using Rows = std::vector<std::vector<std::string>>;
using Lines = std::vector<int64_t>;

// The reader's result, or the error as the only row.
template <class Read>
Table read_text(const std::string& text, const Read& read) {
  TemporaryFolder folder;
  write_file_atomically(folder / "f", text);
  Table table;
  const std::string error = error_line(folder, [&] { table = read(folder / "f"); });
  if (error != "no error") table.rows = {{error}};
  return table;
}
Table tsv(const std::string& text, const std::vector<std::string>& columns = {}) {
  return read_text(text, [&](const fs::path& path) { return read_tsv(path, columns); });
}
Table csv(const std::string& text, const std::vector<std::string>& columns = {}) {
  return read_text(text, [&](const fs::path& path) { return read_csv(path, columns); });
}
Table jsonl(const std::string& text, const std::vector<std::string>& columns = {}) {
  return read_text(text, [&](const fs::path& path) { return read_jsonl(path, columns); });
}
Table list(const std::string& text, const std::vector<std::string>& columns = {}) {
  return read_text(text, [&](const fs::path& path) { return read_json_list(path, columns); });
}

TEST(Tsv, ReadsTheFirstLineAsTheHeaderUnlessColumnsAreGiven) {
  const Table table = tsv("sentence\tlabel\nfine \"film\t1\n\tx\n");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"sentence", "label"}));
  EXPECT_EQ(table.rows, (Rows{{"fine \"film", "1"}, {"", "x"}}));
  EXPECT_EQ(table.lines, (Lines{2, 3}));
  EXPECT_EQ(tsv("a\t1\n", {"text", "label"}).rows, (Rows{{"a", "1"}}));
}

TEST(Tsv, AcceptsAnyLineEndAndAByteOrderMark) {
  const Table table =
      tsv("\xEF\xBB\xBF"
          "a\tb\r\n1\t2\r\n3\t4");
  EXPECT_EQ(table.columns[0], "a");
  EXPECT_EQ(table.rows, (Rows{{"1", "2"}, {"3", "4"}}));
}

TEST(Tsv, RejectsLinesOfTheWrongLength) {
  EXPECT_EQ(tsv("a\tb\n1\t2\n3\n").rows[0][0],
            "f:3: has 1 fields; expected 2 (a, b). Correct the line, or name the columns of the "
            "file.");
  EXPECT_EQ(tsv("a\tb\n1\t2\t3\n").rows[0][0].substr(0, 31), "f:2: has 3 fields; expected 2 (");
  EXPECT_EQ(tsv("a\tb\n\n").rows[0][0].substr(0, 17), "f:2: has 1 fields");
}

TEST(Tsv, RejectsEmptyFilesRepeatedColumnsAndOtherEncodings) {
  EXPECT_EQ(tsv("").rows[0][0], "f: is empty; expected a header line. Check the path.");
  EXPECT_TRUE(tsv("", {"a"}).rows.empty());
  EXPECT_EQ(tsv("a\ta\n").rows[0][0], "f:1: names the column \"a\" twice. Rename one of them.");
  EXPECT_EQ(tsv("a\nb\n\xe9\n").rows[0][0],
            "f:3: contains a byte that is not UTF-8. Save the file as UTF-8.");
}

TEST(TableColumn, NamesTheNearestOne) {
  const Table table = tsv("sentence\tlabel\n");
  EXPECT_EQ(table.column("label"), 1u);
  try {
    table.column("lable");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(error.found(), "has no column \"lable\"");
    EXPECT_EQ(error.todo(), "Did you mean label?");
  }
}

TEST(Csv, KeepsCommasQuotesAndLineBreaksOfQuotedFields) {
  const Table table = csv("mr,ref\n\"a, b\",\"say \"\"hi\"\"\"\n\"two\nlines\",\n\"\",x\n");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"mr", "ref"}));
  EXPECT_EQ(table.rows, (Rows{{"a, b", "say \"hi\""}, {"two\nlines", ""}, {"", "x"}}));
  EXPECT_EQ(table.lines, (Lines{2, 3, 5}));
}

TEST(Csv, AcceptsAnyLineEndAndAByteOrderMark) {
  const Rows rows = {{"1", "2"}, {"3", "4"}};
  EXPECT_EQ(csv("\xEF\xBB\xBF"
                "\"a\",b\r\n\"1\",\"2\"\r\n3,4\r\n")
                .rows,
            rows);
  EXPECT_EQ(csv("a,b\n1,2\n3,4").rows, rows);
  EXPECT_EQ(csv("a,b\n1,2\n3,\"4\"").rows, rows);
  EXPECT_EQ(csv("1,2\r\n3,4\r\n", {"a", "b"}).rows, rows);
  EXPECT_EQ(csv("a,b\n1,2\n3,\"4\"\r").rows, rows);
}

TEST(Csv, AllowsTrailingEmptyFields) {
  EXPECT_EQ(csv("a,b,c\n,,").rows, (Rows{{"", "", ""}}));
  EXPECT_EQ(csv("a,b\n\"x\",\n").rows, (Rows{{"x", ""}}));
}

TEST(Csv, RejectsMalformedInputWithItsLine) {
  const auto error = [](const std::string& text) { return csv(text).rows.at(0).at(0); };
  EXPECT_EQ(error("a,b\n1,\"2\n3,4\n"),
            "f:2: opens a quote that is never closed. Close it, or double a literal quote.");
  EXPECT_EQ(error("a,b\n\"x\ny\",\"2\" 3\n").substr(0, 37),
            "f:3: continues after a closing quote.");
  EXPECT_EQ(error("a,b\n1,2\"3\n").substr(0, 24), "f:2: has a quote inside ");
  EXPECT_EQ(error("a,b\n\"1\n2\",2\n1\n").substr(0, 17), "f:4: has 1 fields");
  EXPECT_EQ(error("a,b\n1,\xff\n").substr(0, 30), "f:2: contains a byte that is n");
}

TEST(Jsonl, TakesTheNamedColumns) {
  const Table table =
      jsonl("{\"text\": \"a\\tb\", \"label\": 1, \"x\": [1]}\n\n{\"label\": true, \"text\": \"\"}",
            {"text", "label"});
  EXPECT_EQ(table.rows, (Rows{{"a\tb", "1"}, {"", "true"}}));
  EXPECT_EQ(table.lines, (Lines{1, 3}));
  EXPECT_EQ(table.columns, (std::vector<std::string>{"text", "label"}));
}

TEST(Jsonl, TakesTheFirstObjectsKeysIfNoneAreNamed) {
  const Table table = jsonl("{\"b\": \"x\", \"a\": 0.5}\r\n{\"a\": -2, \"b\": \"y\"}\r\n");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(table.rows, (Rows{{"0.5", "x"}, {"-2", "y"}}));
}

TEST(Jsonl, RejectsMalformedInputWithItsLine) {
  const auto error = [](const std::string& text) { return jsonl(text, {"text"}).rows.at(0).at(0); };
  EXPECT_EQ(error("{\"text\": \"a\"}\n{\"text\": \n"),
            "f:2: is not valid JSON. Write one JSON object on each line.");
  EXPECT_EQ(error("[1]"), "f:1: is array; expected an object. Write one JSON object on each line.");
  EXPECT_EQ(error("{\"txt\": \"a\"}"), "f:1: has no \"text\". Did you mean txt?");
  EXPECT_EQ(error("{}"), "f:1: has no \"text\". It has no keys.");
  EXPECT_EQ(error("{\"text\": null}"),
            "f:1: has null in \"text\"; expected a string or a number. Write it in quotes.");
  EXPECT_EQ(error("{\"text\": [\"a\"]}").substr(0, 27), "f:1: has array in \"text\"; e");
  EXPECT_EQ(error("{\"text\": \"a\", \"text\": \"b\"}").substr(0, 28),
            "f:1: repeats the key \"text\".");
  EXPECT_EQ(error("\n{\"text\": \"\xff\"}").substr(0, 23), "f:2: contains a byte th");
  EXPECT_EQ(error(std::string(10'000, '[')),
            "f:1: nests deeper than 256 levels. Is this the right file?");
}

TEST(JsonList, IsATableWithNumberedItems) {
  const Table table = list("[{\"a\": \"x\"},\n {\"a\": 2}]");
  EXPECT_EQ(table.rows, (Rows{{"x"}, {"2"}}));
  EXPECT_EQ(table.lines, (Lines{1, 2}));
  EXPECT_EQ(list("{}").rows[0][0].substr(0, 33), "f: is object; expected a list of ");
  EXPECT_EQ(list("[{\"a\": 1}, 3]").rows[0][0].substr(0, 36),
            "f:2: is number; expected an object. ");
  EXPECT_EQ(list("[{\"a\": 1}, {\"b\": 1}]").rows[0][0], "f:2: has no \"a\". Known: b.");
}

TEST(RealData, OfGlueE2eAndCommonsenseIsReadCompletely) {
  if (!fs::exists(data_dir() / "glue")) GTEST_SKIP() << data_dir() << " is absent";
  const Table cola =
      read_tsv(data_dir() / "glue/CoLA/train.tsv", {"source", "label", "mark", "sentence"});
  EXPECT_EQ(cola.rows.size(), 8551u);
  const Table sst = read_tsv(data_dir() / "glue/SST-2/train.tsv");
  EXPECT_EQ(sst.rows.size(), 67349u);
  EXPECT_EQ(sst.column("label"), 1u);
  EXPECT_EQ(read_csv(data_dir() / "e2e/devset.csv").rows.size(), 4672u);
  const Table boolq =
      read_json_list(data_dir() / "commonsense/boolq/test.json", {"instruction", "answer"});
  EXPECT_EQ(boolq.rows.size(), 3270u);
}

}  // namespace
}  // namespace mixtune::test
