// Files of the E2E challenge: meaning representations with the texts that people wrote for them,
// and what systems said. References come as the challenge's CSV (`mr,ref`, or the same as TSV), as
// lines `meaning||text`, or as texts alone in groups between empty lines; outputs as TSV or CSV
// with meanings, as JSON lines, or as one text on each line. Which of them a file is shows in its
// first line and its ending.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mixtune {

// "name[The Eagle], eatType[pub]" as the pairs files write it, "name : The Eagle | Type : pub";
// anything else stays as it is.
std::string reference_meaning(const std::string& meaning);

// A text with its meaning, as the training task and references have them.
struct E2ePair {
  std::string meaning, text;  // without white space at either end
  int64_t line = 0;           // where it begins in the file, from 1
};

// In the order of the file. UserError with file and line for what is no such file: a column that is
// missing, a line without "||", an empty meaning, bytes that are not UTF-8.
std::vector<E2ePair> read_e2e_pairs(const std::filesystem::path& path);

// A meaning with all its texts. Where a file has texts alone, `meaning` is empty.
struct E2eGroup {
  std::string meaning;
  std::vector<std::string> texts;
  int64_t line = 0;  // of the first
};

// One group for each meaning, in order of first appearance.
std::vector<E2eGroup> group_by_meaning(const std::vector<E2ePair>& pairs);

std::vector<E2eGroup> read_e2e_references(const std::filesystem::path& path);

struct E2eOutputs {
  std::vector<std::string> texts;
  std::vector<std::string> meanings;  // one for each text, or none where the file has texts alone
  std::vector<int64_t> lines;
};

E2eOutputs read_e2e_outputs(const std::filesystem::path& path);

// The group of each output: by meaning, in either spelling, where both files have them, else by
// order. UserError where the numbers differ, or an output's meaning is not among the references or
// comes twice.
std::vector<const E2eGroup*> align_e2e(const std::vector<E2eGroup>& references,
                                       const std::filesystem::path& references_path,
                                       const E2eOutputs& outputs,
                                       const std::filesystem::path& outputs_path);

}  // namespace mixtune
