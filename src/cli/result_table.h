// Finished runs, found on disk and side by side in one table.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/trainer.h"

namespace mixtune {

// The folders themselves or, where one is no run, the finished runs directly below it, sorted.
// UserError where there are none.
std::vector<std::filesystem::path> find_runs(const std::vector<std::string>& folders);

// UserError where the run is not finished or is none.
RunResult finished_result(const std::filesystem::path& run);

// One row for each run; the columns of metrics are all that occur. A row without steps is no run
// but something to compare with: it has metrics alone.
std::string result_table(const std::vector<RunResult>& runs);

}  // namespace mixtune
