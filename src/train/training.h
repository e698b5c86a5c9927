// The loop of a run, from wherever it stands to its end or an interrupt.
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
  // All references must outlive it. `interrupt` (or null) is looked at before each step; `start`:
  // when the program began, for the seconds of the run. UserError where the method cannot do with
  // the number of steps.
  Training(Session& session, RunFolder& folder, LoggingCallback& callback,
           const std::atomic<bool>* interrupt, std::chrono::steady_clock::time_point start);
  ~Training();

  // Puts a checkpoint and where it stood back. UserError where they are not of this run.
  void go_back_to(int64_t step, const Cursor& cursor);
  int64_t total() const;  // optimizer steps of the whole run
  // UserError: numbers that are not finite, a full disk; what was saved stays.
  RunResult run();

 private:
  std::unique_ptr<TrainingLoop> loop_;
};

}  // namespace mixtune
