// Reads one file of a commonsense task: objects with the original data set's fields, or
// instructions whose output names the answer ("the correct answer is answer2"), as in the
// LLM-Adapters data. The prompt depends on how answers are scored.
#pragma once

#include <filesystem>

#include "tasks/chat.h"
#include "tasks/commonsense_spec.h"
#include "tasks/task.h"

namespace mixtune {

enum class CommonsenseForm { original, instruction };
enum class CommonsenseScoring { label, likelihood };

struct CommonsenseFormat {
  const CommonsenseSpec* spec;
  CommonsenseScoring scoring;
  const ChatTemplate* chat;  // template for instructions
};

const std::vector<std::string>& labels_of(const CommonsenseSpec& spec, CommonsenseForm form);
CommonsenseForm form_of(const nlohmann::json& object);

// The question as parts to train on (without the answer if it is not known) and, for each answer
// that can be chosen, the question with it: the offered answers for likelihood scoring; every label
// for label scoring of instructions; none for label scoring of original questions, whose labels
// directly follow the prompt. Throws UserError at `where`.
Example commonsense_example(const nlohmann::json& object, CommonsenseForm form,
                            const CommonsenseFormat& format, const std::string& where);

struct CommonsenseFile {
  DataSet set;
  CommonsenseForm form;
};
// All objects of a file have the same form. With `Gold::required` an example without its answer is
// an error.
enum class Gold { required, optional };
CommonsenseFile read_commonsense(const std::filesystem::path& path, const std::string& name,
                                 const CommonsenseFormat& format, Gold gold);

}  // namespace mixtune
