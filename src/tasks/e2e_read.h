// Files of the E2E challenge: meaning representations with reference texts, and the outputs of
// systems. References come as the challenge's CSV (`mr,ref`, or the same as TSV), as lines
// `meaning||text`, or as texts only in groups separated by empty lines; outputs as TSV or CSV with
// meanings, as JSON lines, or as one text per line. The format is detected from the first line and
// the extension.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mixtune {

// "name[The Eagle], eatType[pub]" as the pairs files write it, "name : The Eagle | Type : pub";
// anything else is returned unchanged.
std::string reference_meaning(const std::string& meaning);

// A text with its meaning, as the training task and references have them.
struct E2ePair {
  std::string meaning, text;  // without white space at either end
  int64_t line = 0;           // where it begins in the file, from 1
};

// The pairs in file order. Throws UserError with file and line for a missing column, a line without
// "||", an empty meaning, or bytes that are not UTF-8.
std::vector<E2ePair> read_e2e_pairs(const std::filesystem::path& path);

// A meaning with all its texts. `meaning` is empty if the file has texts only.
struct E2eGroup {
  std::string meaning;
  std::vector<std::string> texts;
  int64_t line = 0;  // of the first text
};

// One group per meaning, in order of first appearance.
std::vector<E2eGroup> group_by_meaning(const std::vector<E2ePair>& pairs);

std::vector<E2eGroup> read_e2e_references(const std::filesystem::path& path);

struct E2eOutputs {
  std::vector<std::string> texts;
  std::vector<std::string> meanings;  // one per text, or empty if the file has texts only
  std::vector<int64_t> lines;
};

E2eOutputs read_e2e_outputs(const std::filesystem::path& path);

// The group of each output: matched by meaning, in either spelling, if both files have meanings,
// else by order. Throws UserError if the counts differ, or if an output's meaning is not among the
// references or occurs twice.
std::vector<const E2eGroup*> align_e2e(const std::vector<E2eGroup>& references,
                                       const std::filesystem::path& references_path,
                                       const E2eOutputs& outputs,
                                       const std::filesystem::path& outputs_path);

}  // namespace mixtune
