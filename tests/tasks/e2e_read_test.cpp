#include "tasks/e2e_read.h"

#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

class E2eRead : public testing::Test {
 protected:
  fs::path file(const std::string& name, const std::string& text) {
    write_text(folder_ / name, text);
    return folder_ / name;
  }
  // The references and outputs after alignment, as text.
  std::string mistake(const std::string& name, const std::string& references,
                      const std::string& outputs_name, const std::string& outputs) {
    const fs::path r = file(name, references), o = file(outputs_name, outputs);
    return user_error([&] { align_e2e(read_e2e_references(r), r, read_e2e_outputs(o), o); });
  }
  TemporaryFolder folder_;
};

using Texts = std::vector<std::string>;

TEST_F(E2eRead, ACsvIsGroupedByMeaningInOrderOfFirstAppearance) {
  const auto groups = read_e2e_references(
      file("refs.csv",
           "mr,ref\r\n\"name[A], near[B]\",\"A, \"\"the\"\" place.\"\r\nname[C],C. \r\n"
           "\"name[A], near[B]\",Near B.\r\n"));
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].meaning, "name[A], near[B]");
  EXPECT_EQ(groups[0].texts, (Texts{"A, \"the\" place.", "Near B."}));
  EXPECT_EQ(groups[0].line, 2);
  EXPECT_EQ(groups[1].meaning, "name[C]");
  EXPECT_EQ(groups[1].texts, Texts{"C."});
}

TEST_F(E2eRead, LinesOfMeaningAndTextAreSplit) {
  const fs::path path = file(
      "pairs.txt", "name : A | food : B||A serves B . \nname : C||C .\nname : A | food : B||A.\n");
  const auto pairs = read_e2e_pairs(path);
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].meaning, "name : A | food : B");
  EXPECT_EQ(pairs[0].text, "A serves B .");
  EXPECT_EQ(pairs[2].line, 3);
  const auto groups = read_e2e_references(path);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].texts, (Texts{"A serves B .", "A."}));
}

TEST_F(E2eRead, TextsWithoutMeaningsAreGroupedByEmptyLines) {
  auto groups = read_e2e_references(file("refs.txt", "A.\nAn A.\n\nB.\n\n\nD.\n"));
  ASSERT_EQ(groups.size(), 4u);
  EXPECT_EQ(groups[0].texts, (Texts{"A.", "An A."}));
  EXPECT_EQ(groups[1].texts, Texts{"B."});
  EXPECT_TRUE(groups[2].texts.empty()) << "two empty lines hold a group without a reference";
  EXPECT_EQ(groups[3].line, 7);
  groups = read_e2e_references(file("single.txt", "A.\nB.\n"));
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[1].texts, Texts{"B."});
}

TEST_F(E2eRead, OutputsAreLinesIncludingEmptyOnes) {
  const E2eOutputs outputs = read_e2e_outputs(file("out.txt", "A \"b\"\tc. \n\n \nD"));
  EXPECT_EQ(outputs.texts, (Texts{"A \"b\"\tc.", "", "", "D"}));
  EXPECT_TRUE(outputs.meanings.empty());
}

TEST_F(E2eRead, OutputsOfSystemsAreTsvQuotedOrNot) {
  const E2eOutputs outputs =
      read_e2e_outputs(file("out.tsv",
                            "\xEF\xBB\xBFMR\toutput\r\r\n\"name[A]\"\t\"A, \"\"the\"\" A.\"\r\r\n"
                            "name[B]\t\"B\" is \"b\"\r\nname[C]\t\r\n"));
  EXPECT_EQ(outputs.meanings, (Texts{"name[A]", "name[B]", "name[C]"}));
  EXPECT_EQ(outputs.texts, (Texts{"A, \"the\" A.", "\"B\" is \"b\"", ""}));
}

TEST_F(E2eRead, OtherColumnsAreIgnored) {
  const E2eOutputs outputs =
      read_e2e_outputs(file("scores.txt", "src\tsys_out\tBLEU\nname[A]\tA.\t0.5\n"));
  EXPECT_EQ(outputs.meanings, Texts{"name[A]"});
  EXPECT_EQ(outputs.texts, Texts{"A."});
}

TEST_F(E2eRead, OutputsWithMeaningsAreMatchedInAnyOrder) {
  const fs::path r = file("refs.csv", "mr,ref\na,A.\nb,B.\n");
  const fs::path o = file("out.tsv", "MR\toutput\nb\tBe.\na\tAy.\n");
  const auto references = read_e2e_references(r);
  const auto groups = align_e2e(references, r, read_e2e_outputs(o), o);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0]->texts, Texts{"B."});
  EXPECT_EQ(groups[1]->texts, Texts{"A."});
}

TEST_F(E2eRead, ReadsTheJsonLinesOfGenerate) {
  const E2eOutputs typed = read_e2e_outputs(file(
      "typed.jsonl", "{\"prompt\": \"p\", \"text\": \" A \\\"b\\\" \"}\n\n{\"text\": \"\"}\n"));
  EXPECT_EQ(typed.texts, (Texts{"A \"b\"", ""}));
  EXPECT_EQ(typed.lines, (std::vector<int64_t>{1, 3}));
  EXPECT_TRUE(typed.meanings.empty());
  // For any file name; meanings are spelled as in the pairs files.
  const fs::path o = file("of_task",
                          "{\"meaning\": \"name : B\", \"text\": \"Be.\"}\n"
                          "{\"meaning\": \"name : A | Type : pub\", \"text\": \"Ay.\"}\n");
  const fs::path r = file("refs.csv", "mr,ref\n\"name[A], eatType[pub]\",A.\nname[B],B.\n");
  const auto references = read_e2e_references(r);
  const auto groups = align_e2e(references, r, read_e2e_outputs(o), o);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0]->texts, Texts{"B."});
  EXPECT_EQ(groups[1]->texts, Texts{"A."});
}

TEST_F(E2eRead, MalformedOutputsInJsonLinesAreNamedWithTheirLine) {
  const auto outputs = [&](const std::string& text) {
    return user_error([&] { read_e2e_outputs(file("o.jsonl", text)); });
  };
  contains(outputs("no\n"), "o.jsonl:1: is not valid JSON");
  contains(outputs("{\"text\": 3}\n"), "o.jsonl:1: has no text 'text'");
  contains(outputs("{\"text\": \"\", \"meaning\": \"a\"}\n{\"text\": \"\"}\n"),
           "o.jsonl:2: has no text 'meaning'");
  contains(outputs("{\"text\": \"\"}\n{\"text\": \"\", \"meaning\": \"a\"}\n"),
           "o.jsonl:2: has a 'meaning', and the lines before it have none");
  contains(user_error([&] { read_e2e_references(file("r.jsonl", "{\"text\": \"A\"}\n")); }),
           "r.jsonl:1: is neither a header like mr,ref nor meaning||text");
}

TEST_F(E2eRead, CountsThatDifferAreBothReported) {
  const std::string error = mistake("refs.csv", "mr,ref\na,A.\nb,B.\n", "out.txt", "A.\nB.\nC.\n");
  contains(error, "out.txt: has 3 outputs; expected 2, one for each meaning in ");
  contains(error, "refs.csv");
}

TEST_F(E2eRead, AMeaningWithoutReferencesIsNamed) {
  contains(mistake("refs.csv", "mr,ref\na,A.\nb,B.\n", "out.tsv", "MR\toutput\na\tA.\nc\tC.\n"),
           "out.tsv:3: no reference in ");
  contains(mistake("refs.csv", "mr,ref\na,A.\nb,B.\n", "out.tsv", "MR\toutput\na\tA.\na\tC.\n"),
           "out.tsv:3: the meaning 'a' occurs twice.");
}

TEST_F(E2eRead, FilesThatAreMissingOrEmptyAreNamed) {
  contains(user_error([&] { read_e2e_references(folder_ / "none.csv"); }), "none.csv");
  contains(user_error([&] { read_e2e_outputs(folder_ / "none.txt"); }), "none.txt");
  contains(user_error([&] { read_e2e_outputs(folder_.path()); }), folder_.path().string());
  contains(user_error([&] { read_e2e_references(file("e.csv", "")); }), "e.csv: is empty");
  contains(user_error([&] { read_e2e_outputs(file("e.txt", "")); }), "e.txt: is empty");
  contains(user_error([&] { read_e2e_references(file("h.csv", "mr,ref\n")); }),
           "h.csv: has a header line and nothing else");
}

TEST_F(E2eRead, BytesThatAreNotUtf8AreNamedWithTheirLine) {
  contains(user_error([&] { read_e2e_outputs(file("o.txt", "a\nb\xFF\n")); }),
           "o.txt:2: contains a byte that is not UTF-8");
  contains(user_error([&] { read_e2e_references(file("r.csv", "mr,ref\na,A\na,\xC3\n")); }),
           "r.csv:3: contains a byte that is not UTF-8");
}

TEST_F(E2eRead, MalformedFilesAreNamedWithTheirLine) {
  const auto references = [&](const std::string& name, const std::string& text) {
    return user_error([&] { read_e2e_references(file(name, text)); });
  };
  contains(references("r.csv", "mr,ref\na,\"A\n"), "r.csv:2: opens a quote that is never closed");
  contains(references("r.csv", "mr,ref\na,A,B\n"), "r.csv:2: has 3 fields; expected 2");
  contains(references("r.csv", "mr,ref\n,A\n"), "r.csv:2: has an empty meaning");
  contains(references("r.csv", "MR\na\n"), "r.csv: has no column of texts; found MR");
  contains(references("r.tsv", "mr\tref\na\n"), "r.tsv:2: has 1 fields; expected 2");
  contains(references("r.txt", "a||A\nb|B\n"), "r.txt:2: has no \"||\"; expected meaning||text");
  contains(references("r.txt", "a||A\n||B\n"), "r.txt:2: has an empty meaning");
  contains(user_error([&] { read_e2e_pairs(file("p.txt", "A text alone.\n")); }),
           "p.txt:1: is neither a header like mr,ref nor meaning||text");
}

TEST_F(E2eRead, TheChallengesFilesHaveTheExpectedGroups) {
  const fs::path e2e = data_dir() / "e2e";
  if (!fs::exists(e2e)) GTEST_SKIP() << "no data folder " << e2e << " (set MIXTUNE_DATA)";
  const auto sizes = [&](const std::string& name) {
    const auto groups = read_e2e_references(e2e / name);
    size_t texts = 0;
    for (const E2eGroup& group : groups) texts += group.texts.size();
    return std::pair(groups.size(), texts);
  };
  EXPECT_EQ(sizes("devset.csv"), std::pair(size_t{547}, size_t{4672}));
  EXPECT_EQ(sizes("testset_w_refs.csv"), std::pair(size_t{630}, size_t{4693}));
  EXPECT_EQ(sizes("pairs/train.txt"), std::pair(size_t{4862}, size_t{42061}));
  EXPECT_EQ(sizes("pairs/valid.txt"), std::pair(size_t{547}, size_t{4672}));
  EXPECT_EQ(sizes("pairs/test.txt"), std::pair(size_t{630}, size_t{4693}));
  EXPECT_EQ(sizes("metrics_example/devel-conc.txt").first, 10u);
  for (const auto& entry : fs::directory_iterator(e2e / "system_outputs"))
    EXPECT_EQ(read_e2e_outputs(entry.path()).texts.size(), 630u) << entry.path();
}

}  // namespace
}  // namespace mixtune::test
