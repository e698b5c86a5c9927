// The program that people start, `mixtune`. It answers --version and --help, and for every command
// becomes mixtune-program (execv: same process, signals and exit code). Loading libtorch takes
// 0.2 s, and the OpenMP runtime that comes with it reads its settings while it is loaded: they have
// to be in the environment before.
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "launcher/overview.h"
#include "launcher/request.h"

namespace {

namespace fs = std::filesystem;

constexpr int kDone = 0, kUserMistake = 2;

// A reader that is gone (mixtune --help | head -1) must not look like success.
int print(const std::string& text, int code) {
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) != 0 && code == kDone ? kUserMistake : code;
}

// A thread that waits for the others of a parallel loop spins for milliseconds by default. Beside
// another busy process the thread that is waited for may not even run, and training falls to a
// twentieth of its speed. 2,000 rounds, some microseconds, are enough on a free machine, where
// threads that sleep at once (OMP_WAIT_POLICY=passive) lose up to a fifth; beside other work they
// cost little (bench/results/load.md). The user's own settings are kept.
void let_waiting_threads_sleep() {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) setenv("GOMP_SPINCOUNT", "2000", 0);
}

// Beside this file in a build folder, in libexec/mixtune of an installed tree; empty if in neither.
fs::path find_program(const fs::path& folder) {
  std::error_code error;
  for (const fs::path& place : {folder, folder.parent_path() / "libexec/mixtune"})
    if (fs::path program = place / "mixtune-program"; fs::is_regular_file(program, error))
      return program;
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  using mixtune::ProgramRequest;
  switch (mixtune::request_of({argv + (argc > 0 ? 1 : 0), argv + argc})) {
    case ProgramRequest::version:
      return print("mixtune " MIXTUNE_VERSION "\n", kDone);
    case ProgramRequest::overview:
      return print(mixtune::kOverview, kDone);
    case ProgramRequest::none:
      return print(mixtune::kOverview, kUserMistake);
    case ProgramRequest::command:
      break;
  }
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  const fs::path program = find_program(folder);
  if (program.empty()) {
    std::fprintf(stderr,
                 "mixtune: mixtune-program is neither in %s nor in %s. Run 'make build', or 'make "
                 "install' again.\n",
                 folder.c_str(), (folder.parent_path() / "libexec/mixtune").c_str());
    return kUserMistake;
  }
  let_waiting_threads_sleep();
  execv(program.c_str(), argv);
  std::fprintf(stderr, "mixtune: %s could not be started: %s. Run 'make build' or 'make install' again.\n",
               program.c_str(), std::strerror(errno));
  return kUserMistake;
}
