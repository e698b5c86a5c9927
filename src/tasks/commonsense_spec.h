// Differences between the eight commonsense tasks, as data: file names, labels, and how an object
// with the original data set's fields becomes a question. The wording of questions is ours and
// follows the published descriptions; options and answer are placed as in the reference protocol
// (specs: DynMoLE's framework), so scores are comparable but not equal.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace mixtune {

// A question, worded for both scoring protocols.
struct Question {
  struct Answer {
    std::string label, text;
    std::optional<std::string> open = {};  // replaces the question's own (WinoGrande)
  };
  std::string asked;                     // prompt with the options; the label follows
  std::string open;                      // prompt without; the answer's text follows
  std::vector<Answer> answers;           // the options
  std::optional<std::string> gold = {};  // a label; none if the file has no answer
};

struct CommonsenseSpec {
  std::string name, folder, summary;
  std::vector<std::string> labels;       // of the original form; all of them are scored
  std::vector<std::string> list_labels;  // of the instruction form
  std::string fields;                    // keys of an original object, for messages
  // Throws UserError at `where` for missing or malformed fields.
  Question (*read)(const nlohmann::json& object, const std::string& where);
  // File names in addition to train, dev and test with the extensions .json and .jsonl.
  std::vector<std::string> train_files = {}, dev_files = {}, test_files = {};
};

const std::vector<CommonsenseSpec>& commonsense_specs();

}  // namespace mixtune
