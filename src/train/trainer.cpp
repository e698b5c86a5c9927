// Starts a new run or resumes one. Both check the config and open the session before they touch the
// run folder.
#include "train/trainer.h"

#include <fmt/format.h>

#include <chrono>

#include "train/checkpoint.h"
#include "train/identity.h"
#include "train/logging_callback.h"
#include "train/preflight.h"
#include "train/run_folder.h"
#include "train/training.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

void report_preflight(Session& session, LoggingCallback& callback) {
  const Preflight checked = preflight(session);
  callback.on_message(render(checked));
  for (const std::string& line : checked.warnings) callback.on_warning(line);
}

}  // namespace

RunResult train(const RunConfig& config, const TrainOptions& options, TrainingCallback& progress) {
  const Clock::time_point start = Clock::now();
  LoggingCallback callback(progress);
  const fs::path path = output_folder(config);
  check_free(path, options.overwrite);  // before minutes of loading
  const auto session = open_for_training(config, callback);
  report_preflight(*session, callback);
  RunFolder folder = RunFolder::create(path, config, options);
  folder.write_environment(*session, options.command);
  callback.open(&folder);
  Training training(*session, folder, callback, options.interrupt, start);
  folder.event({{"event", "start"},
                {"step", 0},
                {"total_steps", training.total()},
                {"task", config.task.name},
                {"method", method_title(config.method)},
                {"seed", config.train.seed},
                {"trainable_parameters", session->attachment->trainables.count()}});
  return training.run();
}

RunResult resume(const fs::path& run, const ResumeOptions& options, TrainingCallback& progress) {
  const Clock::time_point start = Clock::now();
  LoggingCallback callback(progress);
  const RunConfig config = read_run_config(run);
  if (!options.allow_changed)
    if (const auto done = read_result(run)) {
      callback.on_message(run.string() + " is already finished");
      return *done;
    }
  const auto session = open_for_training(config, callback);
  const Checkpoints checkpoints(run / "checkpoints");
  const std::optional<int64_t> step = checkpoints.last_complete();
  std::optional<Cursor> cursor;
  if (step) {
    cursor = checkpoints.read_cursor(*step);
    const std::vector<std::string> changed = differences(cursor->identity, identity_of(*session));
    if (!changed.empty() && !options.allow_changed)
      throw UserError(run.string(),
                      "differs from its checkpoint of step " + std::to_string(*step) + ": " +
                          join_names(changed, "; "),
                      "Undo the change, or add --allow-changed to continue as a different run.");
    for (const std::string& line : changed)
      callback.on_warning("changed since the checkpoint: " + line);
  }
  RunFolder folder = RunFolder::reopen(run, step.value_or(0));
  callback.open(&folder);
  Training training(*session, folder, callback, options.interrupt, start);
  if (step) training.go_back_to(*step, *cursor);
  callback.on_message(step ? fmt::format("resuming from step {} of {}", *step, training.total())
                           : std::string("no complete checkpoint: starting again from step 0"));
  folder.event({{"event", "resume"}, {"step", step.value_or(0)}, {"command", options.command}});
  return training.run();
}

}  // namespace mixtune
