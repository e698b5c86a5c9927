#include <map>

#include "support/tiny_tokenizer.h"
#include "tasks/flow_options.h"
#include "tasks/open_task.h"
#include "tasks/token_text.h"

namespace mixtune::test {
namespace {

// One object with each data set's own fields; the second answer is correct, except for BoolQ
// (true).
const std::map<std::string, std::string> kOriginal = {
    {"arc-easy",
     R"({"question": "Q?", "choices": {"text": ["x", "yy"], "label": ["A", "B"]}, "answerKey": "B"})"},
    {"arc-challenge",
     R"({"question": {"stem": "Q?", "choices": [{"text": "x", "label": "A"},
 {"text": "yy", "label": "B"}]}, "answerKey": "B"})"},
    {"boolq", R"({"question": "is it so", "passage": "It is.", "answer": true})"},
    {"openbookqa",
     R"({"question_stem": "It is", "choices": {"text": ["x", "yy"], "label": ["A", "B"]},
 "answerKey": "B"})"},
    {"piqa", R"({"goal": "Do it", "sol1": "x", "sol2": "yy", "label": 1})"},
    {"siqa",
     R"({"context": "He ran.", "question": "Why?", "answerA": "x", "answerB": "yy", "answerC": "z",
 "label": "2"})"},
    {"hellaswag",
     R"({"activity_label": "Running", "ctx": "He runs", "endings": ["x", "yy", "z", "w"],
 "label": "1"})"},
    {"winogrande",
     R"({"sentence": "Ann gave it to Bea because _ was kind.", "option1": "Ann", "option2": "Bea",
 "answer": "2"})"}};

std::string one_line(std::string text) {
  std::erase(text, '\n');
  return text + "\n";
}

std::string shown(const std::vector<TextPart>& parts) {
  std::string out;
  for (const TextPart& part : parts) {
    const std::string text = part.text + (part.ends ? "$" : "");
    out += part.is_supervised ? "[" + text + "]" : text;
  }
  return out;
}

class Commonsense : public ::testing::Test {
 protected:
  std::unique_ptr<Task> open(const std::string& name, const std::string& text,
                             const std::string& options = "{}",
                             const std::string& ending = "jsonl") {
    for (const char* split : {"train.", "test."}) write_text(folder_ / (split + ending), text);
    return open_task(name, "data: '" + folder_.path().string() + "'\n" + option_lines(options));
  }
  Tokenizer tokenizer(TokenizerStyle style = TokenizerStyle::llama) {
    write_tiny_tokenizer(folder_ / "model", style);
    return Tokenizer::load(folder_ / "model");
  }
  std::string error(const std::string& name, const std::string& text,
                    const std::string& options = "{}") {
    return user_error([&] { open(name, text, options)->train(); });
  }

  TemporaryFolder folder_;
};

TEST_F(Commonsense, ReadsEveryDataSetsOwnFieldsInTheWordingOfItsScoring) {
  const std::map<std::string, std::pair<std::string, std::string>> expected = {
      {"arc-easy",
       {"Choose the right answer to this question: Q? (A) x (B) yy\nAnswer:[ B$]",
        "Question: Q?\nAnswer:[ yy$]"}},
      {"arc-challenge",
       {"Choose the right answer to this question: Q? (A) x (B) yy\nAnswer:[ B$]",
        "Question: Q?\nAnswer:[ yy$]"}},
      {"boolq",
       {"Answer this question with true or false: is it so?\nAnswer:[ true$]",
        "It is.\nQuestion: is it so?\nAnswer:[ yes$]"}},
      {"openbookqa",
       {"Choose the right answer to this question: It is (A) x (B) yy\nAnswer:[ B$]",
        "Question: It is\nAnswer:[ yy$]"}},
      {"piqa",
       {"This task has two solutions. Choose the one that works.\nTask: Do it\nA: x\nB: yy\n\n"
        "Correct solution:[ B$]",
        "Question: Do it\nAnswer:[ yy$]"}},
      {"siqa",
       {"Choose the answer that fits the situation.\nQuestion: He ran. Why?\nA: x\nB: yy\nC: z\n"
        "Answer:[ B$]",
        "Question: He ran. Why?\nAnswer:[ yy$]"}},
      {"hellaswag",
       {"Choose the ending that goes on sensibly.\nSentence: Running. He runs\nA: x\nB: yy\nC: z\n"
        "D: w\nAnswer:[ B$]",
        "Running: He runs[ yy$]"}},
      {"winogrande",
       {"Choose what fills the blank.\nSentence: Ann gave it to Bea because _ was kind.\nA: Ann\n"
        "B: Bea\nAnswer:[ B$]",
        "Ann gave it to Bea because Bea[ was kind.$]"}}};
  for (const auto& [name, text] : kOriginal) {
    SCOPED_TRACE(name);
    const auto by_label = open(name, one_line(text));
    EXPECT_EQ(shown(by_label->train().examples[0].parts), expected.at(name).first);
    const auto by_likelihood = open(name, one_line(text), "{scoring: likelihood}");
    EXPECT_EQ(shown(by_likelihood->train().examples[0].parts), expected.at(name).second);
    EXPECT_EQ(by_label->main_metric(), "label_accuracy");
    EXPECT_EQ(by_likelihood->main_metric(), "likelihood_accuracy");
    const Example& example = by_label->evaluation_sets()[0].examples[0];
    EXPECT_EQ(by_label->labels().at(static_cast<size_t>(example.label)),
              name == "boolq" ? "true" : "B");
    EXPECT_EQ(by_label->evaluation_sets()[0].name, "test");
  }
}

TEST_F(Commonsense, ALabelIsTheLastTokenAfterThePrompt) {
  const auto task = open("piqa", one_line(kOriginal.at("piqa")));
  const DataSet& set = task->evaluation_sets()[0];
  const auto encoded = task->encode_evaluation(tokenizer(), set, 500).examples;
  ASSERT_EQ(encoded.size(), 1u);
  EXPECT_EQ(encoded[0].candidates, ids_of_characters("AB"));
  EXPECT_EQ(encoded[0].ids.back(), id_of_character(':'));
  EXPECT_EQ(encoded[0].label, 1);
  // " true" and " false" end with the same character.
  contains(user_error([&] {
             const auto boolq = open("boolq", one_line(kOriginal.at("boolq")));
             boolq->encode_evaluation(tokenizer(), boolq->evaluation_sets()[0], 500);
           }),
           "test.jsonl:1: the labels differ in more than one token");
}

TEST_F(Commonsense, AnswersAreComparedByLengthNormalizedLikelihood) {
  const auto likelihoods = [](double first, double second) {
    return Predictions{.likelihoods = {{.log_probability = first, .tokens = 2},
                                       {.log_probability = second, .tokens = 3}}};
  };
  const auto chosen = [&](const std::string& normalize, double first, double second) {
    const auto task = open("piqa", one_line(kOriginal.at("piqa")),
                           "{scoring: likelihood, normalize: " + normalize + "}");
    const DataSet& set = task->evaluation_sets()[0];
    const auto sequences = task->encode_evaluation(tokenizer(), set, 500).examples;
    EXPECT_EQ(sequences.size(), 2u);
    EXPECT_TRUE(sequences[0].is_distractor);
    EXPECT_FALSE(sequences[1].is_distractor);
    EXPECT_EQ(sequences[1].supervised_tokens(), 3);  // " yy", no end token
    const Predictions p = task->combine(set, sequences, likelihoods(first, second));
    EXPECT_EQ(task->metrics(set, p)[0].value, p.labels[0] == 1 ? 1.0 : 0.0);
    return p.labels[0];
  };
  // x has 1 character and 2 tokens, yy has 2 and 3: -3 / 1 < -5 / 2, -3 / 2 > -5 / 3.
  EXPECT_EQ(chosen("characters", -3, -5), 1);
  EXPECT_EQ(chosen("tokens", -3, -5), 0);
  EXPECT_EQ(chosen("none", -3, -5), 0);
}

const std::string kList =
    R"([{"instruction": "Q?\n\nAnswer1: x Answer2: y\n\nAnswer format: answer1/answer2",
 "input": "", "output": "the correct answer is answer2", "answer": "answer2"}])";

TEST_F(Commonsense, ReadsInstructionsWhoseOutputNamesTheAnswer) {
  const auto task = open("arc-easy", kList, "{}", "json");
  EXPECT_EQ(shown(task->train().examples[0].parts),
            "User: Q?\n\nAnswer1: x Answer2: y\n\nAnswer format: answer1/answer2\nAssistant:"
            "[ the correct answer is answer2$]");
  EXPECT_EQ(task->labels().at(1), "answer2");
  const DataSet& set = task->evaluation_sets()[0];
  const auto label = task->encode_evaluation(tokenizer(), set, 500).examples;
  ASSERT_EQ(label.size(), 1u);
  EXPECT_EQ(label[0].candidates, ids_of_characters("12345"));
  EXPECT_EQ(label[0].ids.back(), id_of_character('r'));
  // Likelihood scoring uses only the answers that the question offers.
  const auto whole = open("arc-easy", kList, "{scoring: likelihood}", "json");
  EXPECT_EQ(whole->encode_evaluation(tokenizer(), whole->evaluation_sets()[0], 500).examples.size(),
            2u);
}

TEST_F(Commonsense, ALongQuestionIsTruncatedOnTheLeftAndNeverDropped) {
  const auto task = open("piqa", one_line(kOriginal.at("piqa")), "{too_long: drop}");
  const DataSet& set = task->evaluation_sets()[0];
  const auto encoded = task->encode_evaluation(tokenizer(), set, 20).examples.at(0);
  EXPECT_EQ(encoded.ids.size(), 20u);
  EXPECT_EQ(encoded.ids.front(), 0);
  EXPECT_EQ(encoded.ids.back(), id_of_character(':'));
  const auto strict = open("piqa", one_line(kOriginal.at("piqa")), "{too_long: reject}");
  contains(
      user_error([&] { strict->encode_evaluation(tokenizer(), strict->evaluation_sets()[0], 20); }),
      "evaluation questions are never left out");
}

TEST_F(Commonsense, NamesThePlaceOfAnError) {
  const std::string good = one_line(kOriginal.at("piqa"));
  contains(error("piqa", good + R"({"goal": "a", "sol1": "b", "label": 0})"),
           "train.jsonl:2: 'sol2' is missing; found goal, label, sol1");
  contains(error("piqa", good + R"({"goal": "a", "sol1": "b", "sol2": "c", "label": 2})"),
           "'label' is 2; expected 0 to 1");
  contains(error("piqa", good + R"({"goal": "a", "sol1": "b", "sol2": "c"})"),
           "train.jsonl:2: has no correct answer");
  contains(error("piqa", good + R"({"instruction": "a", "output": "b", "answer": "solution1"})"),
           "expected goal, sol1, sol2, label, like the previous examples");
  contains(error("winogrande", R"({"sentence": "no blank", "option1": "a", "option2": "b"})"),
           "has no blank (_)");
  contains(error("arc-easy", R"({"question": "q", "choices": {"text": ["a"], "label": []}})"),
           "'label' is array");
  contains(error("arc-easy", R"({"question": "q", "choices": []})"), "has 0 choices");
  contains(
      error("arc-easy", R"({"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]},)"
                        R"( "answerKey": "C"})"),
      "the answer 'C' is not among its choices");
  contains(error("boolq", R"({"question": "q", "answer": "yes"})"), "'answer' is string");
  contains(error("hellaswag", R"({"activity_label": "a", "ctx": "b", "endings": []})"),
           "'endings' is array; expected a list with entries");
  contains(error("piqa", R"({"instruction": "q", "output": "solution1", "answer": "solution3"})"),
           "the answer is 'solution3'; expected one of solution1, solution2");
  contains(error("piqa", R"({"instruction": "q", "output": "it is b", "answer": "solution1"})"),
           "expected it to end with the answer");
}

TEST_F(Commonsense, SavedLabelsDetermineTheForm) {
  EXPECT_EQ(open_task("piqa", "{}", {"solution1", "solution2"})->labels()[0], "solution1");
  EXPECT_EQ(open_task("piqa", "{}", {"A", "B"})->labels()[0], "A");
  contains(user_error([] { open_task("piqa", "{}", {"x", "y"}); }), "the saved labels are x, y");
}

TEST_F(Commonsense, ReadsTheDataOfThisProject) {
  for (const std::string name : {"arc-easy", "boolq", "openbookqa", "piqa"}) {
    SCOPED_TRACE(name);
    const fs::path data = data_dir() / "commonsense";
    if (!fs::exists(data)) GTEST_SKIP() << "no " << data;
    const auto task = open_on(name, data);
    const std::map<std::string, size_t> rows = {
        {"arc-easy", 2376}, {"boolq", 3270}, {"openbookqa", 500}, {"piqa", 1838}};
    ASSERT_EQ(task->evaluation_sets().size(), 1u);
    EXPECT_EQ(task->evaluation_sets()[0].examples.size(), rows.at(name));
    for (const Example& example : task->evaluation_sets()[0].examples) ASSERT_GE(example.label, 0);
  }
}

}  // namespace
}  // namespace mixtune::test
