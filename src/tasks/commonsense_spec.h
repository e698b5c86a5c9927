// What differs between the eight commonsense tasks, as data: names of files, labels, and how an
// object with the original data set's fields becomes a question. Questions are worded by us after
// the published descriptions; the places of options and of the answer are those of the released
// protocol (specs: DynMoLE's framework), so scores are comparable, not equal.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace mixtune {

// A question in both wordings.
struct Question {
  struct Answer {
    std::string label, text;
    std::optional<std::string> open = {};  // in place of the question's own (WinoGrande)
  };
  std::string asked;                     // with its options; the label comes next
  std::string open;                      // without; the answer's text comes next
  std::vector<Answer> answers;           // those that are offered
  std::optional<std::string> gold = {};  // a label; none where the file does not say
};

struct CommonsenseSpec {
  std::string name, folder, summary;
  std::vector<std::string> labels;       // of the original fields: all that are scored
  std::vector<std::string> list_labels;  // of the form with instruction, output and answer
  std::string fields;                    // for messages: what an original object holds
  // UserError at `where` for what is missing or malformed.
  Question (*read)(const nlohmann::json& object, const std::string& where);
  // Beside train.json, dev.json, test.json and the same as .jsonl.
  std::vector<std::string> train_files = {}, dev_files = {}, test_files = {};
};

const std::vector<CommonsenseSpec>& commonsense_specs();

}  // namespace mixtune
