#include "tasks/commonsense_spec.h"

#include "base/error.h"
#include "files/json_records.h"

namespace mixtune {
namespace {

// "(A) first (B) second".
std::string inline_options(const std::vector<Question::Answer>& answers) {
  std::string out;
  for (const auto& answer : answers) out += " (" + answer.label + ") " + answer.text;
  return out;
}

// "A: first\nB: second\n".
std::string listed_options(const std::vector<Question::Answer>& answers) {
  std::string out;
  for (const auto& answer : answers) out += answer.label + ": " + answer.text + "\n";
  return out;
}

[[noreturn]] void malformed(const std::string& where, const std::string& what) {
  throw UserError(where, what, "Correct the line or leave it out.");
}

const Json& list_at(const Json& object, const std::string& key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end())
    malformed(where, "'" + key + "' is missing; found " + key_list(object));
  if (!found->is_array() || found->empty())
    malformed(where, "'" + key + "' is " + found->type_name() + "; expected a list with entries");
  return *found;
}

// The name of choice `number` (from 0): A, B, ...
std::string letter(size_t number) {
  return std::string(1, static_cast<char>('A' + number));
}

// {"text": [...], "label": [...]}, or [{"text": ..., "label": ...}, ...].
std::vector<Question::Answer> choices_of(const Json& choices, const std::string& where) {
  std::vector<Question::Answer> out;
  if (choices.is_array()) {
    for (const Json& choice : choices) {
      if (!choice.is_object())
        malformed(where, "a choice is " + std::string(choice.type_name()) + "; expected an object");
      out.push_back({text_at(choice, "label", where), text_at(choice, "text", where)});
    }
  } else if (choices.is_object()) {
    const Json &texts = list_at(choices, "text", where), &labels = list_at(choices, "label", where);
    if (texts.size() != labels.size())
      malformed(where, "'choices' has " + std::to_string(texts.size()) + " texts and " +
                           std::to_string(labels.size()) + " labels");
    for (size_t i = 0; i < texts.size(); ++i) {
      if (!texts[i].is_string() || !labels[i].is_string())
        malformed(where, "a choice is not a string");
      out.push_back({labels[i].get<std::string>(), texts[i].get<std::string>()});
    }
  }
  if (out.size() < 2)
    malformed(where, "has " + std::to_string(out.size()) + " choices; expected two or more");
  return out;
}

// A label written as a string or a number; none if it is missing or empty.
std::optional<std::string> gold_at(const Json& object, const std::string& key,
                                   const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (found->is_number_integer()) return std::to_string(found->get<int64_t>());
  if (!found->is_string())
    malformed(where, "'" + key + "' is " + found->type_name() + "; expected a label");
  const auto text = found->get<std::string>();
  return text.empty() ? std::nullopt : std::optional(text);
}

// The correct answer, given as a number counted from `first` (0 or 1), as a letter.
std::optional<std::string> counted_gold(const Json& object, const std::string& key, int first,
                                        size_t answers, const std::string& where) {
  const auto gold = gold_at(object, key, where);
  if (!gold || *gold == "-1") return std::nullopt;
  for (size_t i = 0; i < answers; ++i)
    if (*gold == std::to_string(static_cast<int>(i) + first)) return letter(i);
  malformed(where, "'" + key + "' is " + *gold + "; expected " + std::to_string(first) + " to " +
                       std::to_string(first + static_cast<int>(answers) - 1));
}

// Reads ARC and OpenBookQA in the format of their authors ("question": {"stem", "choices"}) and in
// that of the Hugging Face hub.
Question choice_question(const Json& object, const std::string& stem_key,
                         const std::string& where) {
  Question out;
  std::string stem;
  const auto nested = object.find("question");
  if (nested != object.end() && nested->is_object()) {
    stem = text_at(*nested, "stem", where);
    out.answers = choices_of(nested->value("choices", Json()), where);
  } else {
    stem = text_at(object, stem_key, where);
    out.answers = choices_of(object.value("choices", Json()), where);
  }
  out.asked = "Choose the right answer to this question: " + stem + inline_options(out.answers) +
              "\nAnswer:";
  out.open = "Question: " + stem + "\nAnswer:";
  out.gold = gold_at(object, "answerKey", where);
  return out;
}

Question arc(const Json& object, const std::string& where) {
  return choice_question(object, "question", where);
}

Question openbookqa(const Json& object, const std::string& where) {
  return choice_question(object, "question_stem", where);
}

// The reference protocol omits the passage; published likelihood results include it.
Question boolq(const Json& object, const std::string& where) {
  std::string question = text_at(object, "question", where);
  while (!question.empty() && (question.back() == '?' || question.back() == ' '))
    question.pop_back();
  Question out;
  out.asked = "Answer this question with true or false: " + question + "?\nAnswer:";
  out.open = object.contains("passage") ? text_at(object, "passage", where) + "\n" : "";
  out.open += "Question: " + question + "?\nAnswer:";
  out.answers = {{"true", "yes"}, {"false", "no"}};
  const auto gold = object.find("answer");
  if (gold == object.end()) return out;
  if (!gold->is_boolean())
    malformed(where, "'answer' is " + std::string(gold->type_name()) + "; expected true or false");
  out.gold = *gold == true ? "true" : "false";
  return out;
}

Question piqa(const Json& object, const std::string& where) {
  const std::string goal = text_at(object, "goal", where);
  Question out;
  out.answers = {{"A", text_at(object, "sol1", where)}, {"B", text_at(object, "sol2", where)}};
  out.asked = "This task has two solutions. Choose the one that works.\nTask: " + goal + "\n" +
              listed_options(out.answers) + "\nCorrect solution:";
  out.open = "Question: " + goal + "\nAnswer:";
  out.gold = counted_gold(object, "label", 0, 2, where);
  return out;
}

Question siqa(const Json& object, const std::string& where) {
  const std::string situation =
      text_at(object, "context", where) + " " + text_at(object, "question", where);
  Question out;
  for (const char* key : {"answerA", "answerB", "answerC"})
    out.answers.push_back({std::string(1, key[6]), text_at(object, key, where)});
  out.asked = "Choose the answer that fits the situation.\nQuestion: " + situation + "\n" +
              listed_options(out.answers) + "Answer:";
  out.open = "Question: " + situation + "\nAnswer:";
  out.gold = object.contains("correct") ? gold_at(object, "correct", where)
                                        : counted_gold(object, "label", 1, 3, where);
  return out;
}

Question hellaswag(const Json& object, const std::string& where) {
  const std::string activity = text_at(object, "activity_label", where);
  const std::string begun = text_at(object, "ctx", where);
  Question out;
  for (const Json& ending : list_at(object, "endings", where)) {
    if (!ending.is_string()) malformed(where, "an ending is not a string");
    out.answers.push_back({letter(out.answers.size()), ending.get<std::string>()});
  }
  out.asked = "Choose the ending that goes on sensibly.\nSentence: " + activity + ". " + begun +
              "\n" + listed_options(out.answers) + "Answer:";
  out.open = activity + ": " + begun;
  out.gold = counted_gold(object, "label", 0, out.answers.size(), where);
  return out;
}

// Likelihood scoring compares the text after the blank, with each option filled in.
Question winogrande(const Json& object, const std::string& where) {
  const std::string sentence = text_at(object, "sentence", where);
  const size_t blank = sentence.find('_');
  if (blank == sentence.npos || blank + 1 >= sentence.size())
    malformed(where, "'sentence' has no blank (_) with words after it");
  std::string rest = sentence.substr(blank + 1);
  rest.erase(0, rest.find_first_not_of(' '));
  Question out;
  for (const char* key : {"option1", "option2"}) {
    const std::string option = text_at(object, key, where);
    out.answers.push_back({letter(out.answers.size()), rest, sentence.substr(0, blank) + option});
  }
  std::vector<Question::Answer> shown = out.answers;
  shown[0].text = text_at(object, "option1", where);
  shown[1].text = text_at(object, "option2", where);
  out.asked = "Choose what fills the blank.\nSentence: " + sentence + "\n" + listed_options(shown) +
              "Answer:";
  out.gold = counted_gold(object, "answer", 1, 2, where);
  return out;
}

std::vector<std::string> numbered(const std::string& stem, int count) {
  std::vector<std::string> out;
  for (int i = 1; i <= count; ++i) out.push_back(stem + std::to_string(i));
  return out;
}

CommonsenseSpec arc_spec(const std::string& name, const std::string& folder,
                         const std::string& summary) {
  return {.name = name,
          .folder = folder,
          .summary = summary,
          .labels = {"1", "2", "3", "4", "A", "B", "C", "D", "E"},
          .list_labels = numbered("answer", 5),
          .fields = "question, choices, answerKey",
          .read = arc,
          .train_files = {folder + "-Train.jsonl"},
          .dev_files = {folder + "-Dev.jsonl"},
          .test_files = {folder + "-Test.jsonl"}};
}

}  // namespace

const std::vector<CommonsenseSpec>& commonsense_specs() {
  static const std::vector<CommonsenseSpec> specs = {
      arc_spec("arc-easy", "ARC-Easy", "easy school science questions"),
      arc_spec("arc-challenge", "ARC-Challenge", "difficult school science questions"),
      {.name = "boolq",
       .folder = "boolq",
       .summary = "yes/no questions about a passage",
       .labels = {"true", "false"},
       .list_labels = {"true", "false"},
       .fields = "question, passage, answer",
       .read = boolq},
      {.name = "openbookqa",
       .folder = "openbookqa",
       .summary = "elementary science questions that require an additional fact",
       .labels = {"A", "B", "C", "D"},
       .list_labels = numbered("answer", 4),
       .fields = "question_stem, choices, answerKey",
       .read = openbookqa},
      {.name = "piqa",
       .folder = "piqa",
       .summary = "which of two solutions achieves a practical goal?",
       .labels = {"A", "B"},
       .list_labels = numbered("solution", 2),
       .fields = "goal, sol1, sol2, label",
       .read = piqa,
       .dev_files = {"valid.jsonl"}},
      {.name = "siqa",
       .folder = "social_i_qa",
       .summary = "questions about actions, feelings and motives in social situations",
       .labels = {"A", "B", "C"},
       .list_labels = numbered("answer", 3),
       .fields = "context, question, answerA to answerC, label",
       .read = siqa},
      {.name = "hellaswag",
       .folder = "hellaswag",
       .summary = "which ending continues the description plausibly?",
       .labels = {"A", "B", "C", "D"},
       .list_labels = numbered("ending", 4),
       .fields = "activity_label, ctx, endings, label",
       .read = hellaswag,
       .train_files = {"hellaswag_train.jsonl"},
       .dev_files = {"hellaswag_val.jsonl"}},
      {.name = "winogrande",
       .folder = "winogrande",
       .summary = "which of two names fills the blank?",
       .labels = {"A", "B"},
       .list_labels = numbered("option", 2),
       .fields = "sentence, option1, option2, answer",
       .read = winogrande,
       .train_files = {"train_debiased.jsonl", "train_xl.jsonl"}}};
  return specs;
}

}  // namespace mixtune
