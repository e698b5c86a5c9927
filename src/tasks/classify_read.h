// Reads one file of the user's own data into examples. The caller names the columns of the texts
// and of the label or score; labels are given or inferred from the file.
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
  std::optional<std::string> example_group = {};  // the column of the example group
};

// Source of the labels: `infer` collects them from the file and returns them in `labels`, `known`
// accepts only those in `labels`, `optional` (test files) also accepts a missing column and empty
// cells.
enum class ClassifyLabels { infer, known, optional };

struct ClassifyFile {
  std::filesystem::path path;
  std::optional<std::string> format =
      {};           // "tsv", "csv", "jsonl" or "json" (a list); else by the file's ending
  std::string set;  // the name of the data set
};

// Throws UserError with file and line for a missing column, an unknown label, a score that is not a
// number, or a number of example groups other than two.
DataSet read_classify(const ClassifyFile& file, const ClassifyColumns& columns, ClassifyLabels kind,
                      std::vector<std::string>& labels);

}  // namespace mixtune
