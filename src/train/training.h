// The training loop of a run, from its current position to its end or an interrupt. The
// implementation is hidden, since only train() and resume() use it.
#pragma once

#include <atomic>
#include <chrono>

#include "train/checkpoint.h"
#include "train/logging_callback.h"
#include "train/run_folder.h"
#include "train/session.h"

namespace mixtune {

class TrainingLoop;

class Training {
 public:
  // All references must outlive it. `interrupt` (or null) is checked before each step; `start` is
  // the start time, for the seconds of the run. UserError if the method does not support the number
  // of steps.
  Training(Session& session, RunFolder& folder, LoggingCallback& callback,
           const std::atomic<bool>* interrupt, std::chrono::steady_clock::time_point start);
  ~Training();

  // Restores a checkpoint and its position. UserError if they do not match this run.
  void go_back_to(int64_t step, const Cursor& cursor);
  int64_t total() const;  // optimizer steps of the whole run
  // UserError for numbers that are not finite or a full disk; saved files stay.
  RunResult run();

 private:
  std::unique_ptr<TrainingLoop> loop_;
};

}  // namespace mixtune
