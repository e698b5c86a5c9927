#include "tasks/commonsense_read.h"

#include <algorithm>

#include "files/json_records.h"

namespace mixtune {
namespace {

int64_t label_id(const std::string& label, const std::vector<std::string>& labels,
                 const std::string& where) {
  const auto found = std::find(labels.begin(), labels.end(), label);
  if (found == labels.end())
    throw UserError(where, "the answer is '" + label + "'; expected one of " + join_names(labels),
                    "Correct the line or leave it out.");
  return found - labels.begin();
}

TextPart completion(std::string text, bool ends) {
  return {.text = std::move(text), .is_supervised = true, .ends = ends};
}

Example original_example(const Json& object, const CommonsenseFormat& format,
                         const std::string& where) {
  const CommonsenseSpec& spec = *format.spec;
  const Question question = spec.read(object, where);
  Example out{.first = question.asked};
  if (question.gold) {
    const auto offered = [&](const Question::Answer& a) { return a.label == *question.gold; };
    if (std::none_of(question.answers.begin(), question.answers.end(), offered))
      throw UserError(where, "the answer '" + *question.gold + "' is not among its choices",
                      "Correct the line or leave it out.");
    out.label = label_id(*question.gold, spec.labels, where);
  }
  if (format.scoring == CommonsenseScoring::label) {
    out.parts = {{.text = question.asked}};
    if (question.gold) out.parts.push_back(completion(" " + *question.gold, true));
    return out;
  }
  for (const Question::Answer& answer : question.answers) {
    const TextPart open = {.text = answer.open.value_or(question.open)};
    out.options.push_back(
        {label_id(answer.label, spec.labels, where), {open, completion(" " + answer.text, false)}});
    if (question.gold && answer.label == *question.gold)
      out.parts = {open, completion(" " + answer.text, true)};
  }
  return out;
}

// The labels listed after "Answer format: ", or all labels of the task.
std::vector<std::string> offered_labels(const std::string& instruction,
                                        const std::vector<std::string>& labels,
                                        const std::string& where) {
  const std::string clause = "Answer format: ";
  const size_t at = instruction.rfind(clause);
  if (at == instruction.npos) return labels;
  std::vector<std::string> out = {""};
  for (const char c : instruction.substr(at + clause.size())) {
    if (c == '\n') break;
    if (c == '/')
      out.emplace_back();
    else if (c != ' ')
      out.back() += c;
  }
  for (const std::string& label : out) label_id(label, labels, where);
  return out;
}

Example instruction_example(const Json& object, const CommonsenseFormat& format,
                            const std::string& where) {
  const std::vector<std::string>& labels = format.spec->list_labels;
  Example out{.first = text_at(object, "instruction", where)};
  if (object.contains("input"))
    if (const std::string input = text_at(object, "input", where); !input.empty())
      out.first += "\n\n" + input;
  std::string reasoning = "the correct answer is ";
  if (object.contains("answer")) {
    const std::string answer = text_at(object, "answer", where);
    out.label = label_id(answer, labels, where);
    const std::string output = text_at(object, "output", where);
    if (!output.ends_with(answer))
      throw UserError(
          where,
          "'output' is '" + output + "'; expected it to end with the answer '" + answer + "'",
          "Correct the line or leave it out.");
    reasoning = output.substr(0, output.size() - answer.size());
  }
  const auto parts = [&](const std::string& label) {
    return render_chat(*format.chat,
                       {{Speaker::user, out.first}, {Speaker::assistant, reasoning + label}});
  };
  if (out.label >= 0) out.parts = parts(labels[static_cast<size_t>(out.label)]);
  const bool all = format.scoring == CommonsenseScoring::label;
  for (const std::string& label : all ? labels : offered_labels(out.first, labels, where)) {
    AnswerOption option{label_id(label, labels, where), parts(label)};
    option.parts.back().ends = false;
    out.options.push_back(std::move(option));
  }
  return out;
}

std::string form_text(CommonsenseForm form, const CommonsenseSpec& spec) {
  return form == CommonsenseForm::original ? spec.fields : "instruction, input, output, answer";
}

}  // namespace

const std::vector<std::string>& labels_of(const CommonsenseSpec& spec, CommonsenseForm form) {
  return form == CommonsenseForm::original ? spec.labels : spec.list_labels;
}

CommonsenseForm form_of(const Json& object) {
  return object.contains("instruction") ? CommonsenseForm::instruction : CommonsenseForm::original;
}

Example commonsense_example(const Json& object, CommonsenseForm form,
                            const CommonsenseFormat& format, const std::string& where) {
  if (form != form_of(object))
    throw UserError(where,
                    "has " + key_list(object) + "; expected " + form_text(form, *format.spec) +
                        ", like the previous examples",
                    "Give all examples the same fields.");
  return form == CommonsenseForm::original ? original_example(object, format, where)
                                           : instruction_example(object, format, where);
}

CommonsenseFile read_commonsense(const std::filesystem::path& path, const std::string& name,
                                 const CommonsenseFormat& format, Gold gold) {
  std::optional<CommonsenseForm> form;
  DataSet set{.name = name, .source = path.string()};
  read_json_records(path, [&](const Json& object, const RecordPlace& place) {
    if (!form) form = form_of(object);
    Example example = commonsense_example(object, *form, format, place.text);
    if (gold == Gold::required && example.label < 0)
      throw UserError(place.text, "has no correct answer; found " + key_list(object),
                      "Give every example its answer.");
    example.id = static_cast<int64_t>(set.examples.size());
    example.line = place.line;
    set.examples.push_back(std::move(example));
  });
  return {std::move(set), *form};
}

}  // namespace mixtune
