// One file of a commonsense task: objects with the original data set's fields, or instructions
// whose output names the answer ("the correct answer is answer2"), as the data for language-model
// adapters has them. The wording depends on how answers are scored.
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
  const ChatTemplate* chat;  // of instructions
};

const std::vector<std::string>& labels_of(const CommonsenseSpec& spec, CommonsenseForm form);
CommonsenseForm form_of(const nlohmann::json& object);

// The question as parts to train on (without the answer where it is not known) and, for each answer
// that can be chosen, the question with it: the answers offered for likelihoods; every label for
// label tokens of instructions; none for label tokens of original questions, whose labels come
// right after the prompt. UserError at `where`.
Example commonsense_example(const nlohmann::json& object, CommonsenseForm form,
                            const CommonsenseFormat& format, const std::string& where);

struct CommonsenseFile {
  DataSet set;
  CommonsenseForm form;
};
// All objects of a file have one form. `needs_gold`: an example without its answer is an error.
enum class Gold { required, optional };
CommonsenseFile read_commonsense(const std::filesystem::path& path, const std::string& name,
                                 const CommonsenseFormat& format, Gold gold);

}  // namespace mixtune
