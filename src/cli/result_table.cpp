#include "cli/result_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/console.h"
#include "train/predictor.h"
#include "train/run_folder.h"

namespace mixtune {

namespace fs = std::filesystem;

RunResult finished_result(const fs::path& run) {
  if (auto result = read_result(run)) return *result;
  if (is_run_folder(run))
    throw UserError(run.string(), "has no result.json: the run is not finished",
                    "Finish it with: mixtune resume " + run.string());
  throw UserError(run.string(), "is not a run folder", "Name a folder that mixtune train wrote.");
}

std::vector<fs::path> find_runs(const std::vector<std::string>& folders) {
  std::vector<fs::path> out;
  for (const std::string& folder : folders) {
    std::error_code error;
    if (!fs::is_directory(folder, error))
      throw UserError(folder, "there is no such folder", "Name run folders or a folder of runs.");
    if (is_run_folder(folder)) {
      out.emplace_back(folder);
      continue;
    }
    std::vector<fs::path> below;
    for (const auto& entry : fs::directory_iterator(folder, error))
      if (entry.is_directory(error) && fs::exists(entry.path() / "result.json", error))
        below.push_back(entry.path());
    if (below.empty())
      throw UserError(folder, "is not a run folder and has no finished run in it",
                      "Name folders that mixtune train wrote.");
    std::sort(below.begin(), below.end());
    out.insert(out.end(), below.begin(), below.end());
  }
  return out;
}

std::string result_table(const std::vector<RunResult>& runs) {
  std::vector<std::string> names;  // of metrics, in the order of their first occurrence
  for (const RunResult& run : runs)
    for (const MetricValue& metric : run.metrics)
      if (std::find(names.begin(), names.end(), metric.name) == names.end())
        names.push_back(metric.name);
  std::vector<std::string> header = {"run", "method", "task", "seed"};
  header.insert(header.end(), names.begin(), names.end());
  for (const char* column : {"trainable", "tokens/s", "peak memory", "time"})
    header.emplace_back(column);
  ConsoleTable table(header);
  table.align_left(1);
  table.align_left(2);
  for (const RunResult& run : runs) {
    const bool is_run = run.steps > 0;
    std::vector<std::string> row = {run.folder.string(), run.method, run.task,
                                    is_run ? std::to_string(run.seed) : ""};
    for (const std::string& name : names) {
      const auto found =
          std::find_if(run.metrics.begin(), run.metrics.end(),
                       [&](const MetricValue& metric) { return metric.name == name; });
      const bool is_known = found != run.metrics.end() && !std::isnan(found->value);
      row.push_back(is_known ? fmt::format("{:.4f}", found->value) : "-");
    }
    if (is_run) {
      row.push_back(count_text(run.trainable_parameters));
      row.push_back(run.tokens_per_second > 0 ? count_text(std::llround(run.tokens_per_second))
                                              : "-");
      row.push_back(bytes_text(run.peak_memory_bytes));
      row.push_back(duration_text(run.seconds));
    }
    table.add(std::move(row));
  }
  return table.text();
}

}  // namespace mixtune
