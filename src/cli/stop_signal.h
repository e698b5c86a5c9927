// Ctrl-C and SIGTERM: the first signal requests a clean stop, the second ends the program at once.
#pragma once

#include <atomic>

namespace mixtune {

// Catches the signals during its lifetime and restores the previous handlers afterwards. Only one
// may exist at a time, because a signal handler can only use global variables.
class StopSignal {
 public:
  // `notice`: what the program does after the first signal. It is printed by the signal handler, so
  // it must be a string literal.
  explicit StopSignal(const char* notice = "stopping after this step and saving");
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  const std::atomic<bool>* flag() const;
};

}  // namespace mixtune
