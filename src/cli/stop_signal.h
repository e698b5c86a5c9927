// Ctrl-C and SIGTERM: the first asks the run to save and stop, the second ends the program at once.
#pragma once

#include <atomic>

namespace molt {

// While one lives, the signals are caught; afterwards they do what they did before. One at a time:
// a signal handler can only reach what is global.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  const std::atomic<bool>* flag() const;
};

}  // namespace molt
