// Reads one file of GLUE: tab-separated, never quoted (a quotation mark is an ordinary
// character). Columns are found by the names in the header line.
#pragma once

#include <filesystem>
#include <string>

#include "tasks/glue_spec.h"
#include "tasks/task.h"

namespace mixtune {

// `known`: every row must have a label. `optional` (test files): the label column may be missing or
// hold -1. Throws UserError with file and line for anything else.
enum class LabelsAre { known, optional };

DataSet read_glue(const GlueSpec& spec, const std::filesystem::path& path, const std::string& name,
                  LabelsAre labels);

}  // namespace mixtune
