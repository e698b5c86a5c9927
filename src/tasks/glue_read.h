// Reads one file of GLUE: tab-separated, never quoted (a quotation mark is a letter), columns found
// by the names in the header line.
#pragma once

#include <filesystem>
#include <string>

#include "tasks/glue_spec.h"
#include "tasks/task.h"

namespace mixtune {

// `known` files need a label in every row; `optional`: test files, which may have no label column,
// or -1 in it. UserError with file and line for anything else.
enum class LabelsAre { known, optional };

DataSet read_glue(const GlueSpec& spec, const std::filesystem::path& path, const std::string& name,
                  LabelsAre labels);

}  // namespace mixtune
