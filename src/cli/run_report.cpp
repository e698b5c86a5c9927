#include "cli/run_report.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/result_table.h"

namespace mixtune {

int report_run(const RunResult& result) {
  const std::string folder = result.folder.string();
  if (result.interrupted) {
    fmt::print("Interrupted after step {}; everything is saved. Continue with: mixtune resume {}\n",
               result.steps, folder);
    return kInterrupted;
  }
  fmt::print("\n{}", result_table({result}));
  if (result.best_step > 0)
    fmt::print("\nBest evaluation after step {} of {}{}; its adapter is {}/adapter\n",
               result.best_step, result.steps, result.stopped_early ? " (stopped early)" : "",
               folder);
  else
    fmt::print("\nThere was no evaluation; the adapter of the last step is {}/adapter\n", folder);
  return kDone;
}

}  // namespace mixtune
