// The nine tasks of GLUE as data: files, columns, labels, metrics. Everything that differs between
// them is here; glue.cpp and glue_read.cpp contain no task names.
#pragma once

#include <string>
#include <vector>

namespace mixtune {

// One data set of a task. `files`: its names in the existing distributions; the first one found is
// read.
struct GlueSet {
  std::string name;                // "dev_mismatched"
  std::vector<std::string> files;  // "dev_mismatched.tsv"
  std::string submission = "";     // of a test set: the file name for GLUE's site
};

// How a label is stored in the files: as a name, a number, or a score to predict.
enum class GlueLabels { names, numbers, scores };

struct GlueSpec {
  std::string name;    // "rte"
  std::string folder;  // "RTE"
  std::string summary;
  GlueLabels label_kind;
  std::vector<std::string>
      labels;  // in the order of ids, as in Hugging Face's GLUE; empty for scores
  std::vector<std::string> text_fields;
  // Column names of each text and of the label in the existing distributions.
  std::vector<std::vector<std::string>> text_columns;
  std::vector<std::string> label_columns;
  std::vector<std::string> metrics;  // the official ones; the first selects the best checkpoint
  GlueSet train;
  std::vector<GlueSet> evaluation;  // the first must exist
  std::vector<GlueSet> test;        // those that exist are read
  // Columns of a file without a header line, which only CoLA has.
  std::vector<std::string> headerless = {};
  // Some copies of QQP have a few lines that a line break in a question cut in two. They are
  // skipped and counted; elsewhere a line with too few columns is an error.
  bool skips_short_lines = false;
};

const std::vector<GlueSpec>& glue_specs();

}  // namespace mixtune
