// Finds finished runs on disk and prints their results in one table.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/trainer.h"

namespace mixtune {

// The folders themselves or, for a folder that is not a run, the finished runs directly in it,
// sorted. UserError if there are none.
std::vector<std::filesystem::path> find_runs(const std::vector<std::string>& folders);

// UserError if the run is not finished, or `run` is not a run folder.
RunResult finished_result(const std::filesystem::path& run);

// One row for each run, with columns for all metrics that occur. A row with zero steps is a
// baseline: it has metrics only.
std::string result_table(const std::vector<RunResult>& runs);

}  // namespace mixtune
