// Ctrl-C and SIGTERM: the first asks the program to stop where it can, the second ends it at once.
#pragma once

#include <atomic>

namespace mixtune {

// While one lives, the signals are caught; afterwards they do what they did before. One at a time:
// a signal handler can only reach what is global.
class StopSignal {
 public:
  // `notice`: what the first signal makes it do; a literal, since the handler prints it.
  explicit StopSignal(const char* notice = "stopping after this step and saving");
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  const std::atomic<bool>* flag() const;
};

}  // namespace mixtune
