// Reads one file of the user's own data into examples: which columns are texts, which one is the
// label or the score, and which labels there are.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace mixtune {

struct ClassifyColumns {
  std::string text = "text";
  std::optional<std::string> text_pair = {};
  std::string target = "label";  // the column of the label or the score
  bool is_score = false;
  std::optional<std::string> example_group = {};  // the column of which example group it is in
};

// Where labels come from: `infer` takes those of the file and returns them in `labels`, `known`
// accepts only those in `labels`, `optional` (test files) also accepts a missing column and empty
// cells.
enum class ClassifyLabels { infer, known, optional };

struct ClassifyFile {
  std::filesystem::path path;
  std::optional<std::string> format =
      {};           // "tsv", "csv", "jsonl" or "json" (a list); else by the file's ending
  std::string set;  // the name of the data set
};

// UserError with file and line for a missing column, a label that is not known or a score that is
// no number, and for example groups that are not two.
DataSet read_classify(const ClassifyFile& file, const ClassifyColumns& columns, ClassifyLabels kind,
                      std::vector<std::string>& labels);

}  // namespace mixtune
