#include "cli/stop_signal.h"

#include <unistd.h>
#include <csignal>
#include <cstring>
#include <ctime>

#include "cli/command.h"

namespace mixtune {
namespace {

std::atomic<bool> stop_requested = false;
std::atomic<int64_t> requested_at = 0;  // in milliseconds; 0: never
std::atomic<const char*> notice_of_stop = nullptr;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int64_t>::is_always_lock_free &&
                  std::atomic<const char*>::is_always_lock_free,
              "a signal handler must not wait");
struct sigaction before_interrupt, before_terminate;

int64_t now_in_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

void write_out(const char* text) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
}

// Makes only calls that are safe in a signal handler. `timeout` and some schedulers send a signal
// twice, to the program and to its group; a second signal within half a second is therefore
// ignored.
extern "C" void mixtune_stop(int) {
  const int64_t now = now_in_milliseconds();
  int64_t first = 0;
  if (!requested_at.compare_exchange_strong(first, now)) {
    if (now - first > 500) _exit(kInterrupted);
    return;
  }
  stop_requested = true;
  write_out("\n");
  write_out(notice_of_stop);
  write_out("; interrupt again to stop immediately\n");
}

}  // namespace

StopSignal::StopSignal(const char* notice) {
  notice_of_stop = notice;
  stop_requested = false;
  requested_at = 0;
  struct sigaction action;
  std::memset(&action, 0, sizeof action);
  action.sa_handler = mixtune_stop;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &before_interrupt);
  sigaction(SIGTERM, &action, &before_terminate);
}

StopSignal::~StopSignal() {
  sigaction(SIGINT, &before_interrupt, nullptr);
  sigaction(SIGTERM, &before_terminate, nullptr);
}

const std::atomic<bool>* StopSignal::flag() const {
  return &stop_requested;
}

}  // namespace mixtune
