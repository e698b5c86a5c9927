// Prediction requests: one JSON object with the task's text fields.
#include "base/json.h"
#include "tasks/open_task.h"

namespace mixtune::test {
namespace {

std::string request_error(const std::string& json) {
  return user_error([&] {
    open_task("qnli", "max_length: 64")->example_from_json(Json::parse(json), "requests.jsonl:3");
  });
}

TEST(PredictRequest, HasTheTextFieldsOfTheTask) {
  const auto task = open_task("qnli", "max_length: 64");
  EXPECT_EQ(task->text_fields(), (std::vector<std::string>{"question", "sentence"}));
  const Example example = task->example_from_json(
      Json::parse(R"({"sentence": "Tea.", "question": "What?", "id": 7})"), "");
  EXPECT_EQ(example.first, "What?");
  EXPECT_EQ(example.second, "Tea.");
  EXPECT_EQ(example.label, -1);
}

TEST(PredictRequest, OfASingleTextHasNoSecond) {
  const auto task = open_task("cola", "max_length: 64");
  EXPECT_FALSE(task->example_from_json(Json::parse(R"({"sentence": "Tea."})"), "").second);
}

TEST(PredictRequest, AMissingFieldIsNamedWithWhatWasFound) {
  const std::string error = request_error(R"({"question": "What?", "text": "Tea."})");
  contains(error, "requests.jsonl:3: 'sentence' is missing; found question, text.");
  contains(request_error("{}"), "found no keys");
}

TEST(PredictRequest, AFieldThatIsNotAStringIsNamed) {
  contains(request_error(R"({"question": 5, "sentence": "Tea."})"),
           "'question' is number; expected a string");
  contains(request_error("[1]"), "found array; expected a JSON object");
}

TEST(TaskTable, HasEveryTaskWithADescription) {
  const std::vector<std::string> expected = {"classify", "cola", "sst2", "mrpc", "stsb",
                                             "qqp",      "mnli", "qnli", "rte",  "wnli"};
  for (const std::string& name : expected) {
    const TaskEntry& entry = tasks().get(name, "task.name", "task");
    EXPECT_FALSE(entry.summary.empty());
    contains(describe(*entry.config()), "max_length");
  }
}

TEST(TaskTable, AnUnknownNameListsTheNearest) {
  contains(user_error([] { tasks().get("qnil", "task.name", "task"); }), "Did you mean qnli?");
}

TEST(TaskOptions, AreCheckedAgainstTheirLimits) {
  contains(user_error([] { open_task("rte", "max_length: 0"); }), "max_length");
  contains(user_error([] { open_task("rte", "truncation: first"); }), "longest_first");
  contains(user_error([] { open_task("rte", "limit_train: 0"); }), "limit_train");
}

}  // namespace
}  // namespace mixtune::test
