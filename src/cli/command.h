// A subcommand of the program. src/cli/<name>.cpp holds it and register_<name>(); the table is
// generated from the file names, so a new command is one file. CLI11 costs seconds to compile: .cpp
// files only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/registry.h"

namespace CLI {
class App;
}

namespace mixtune {

// Runs a command once its arguments are parsed; returns the exit code.
using CommandRun = std::function<int()>;

struct CommandEntry {
  std::string name, summary;
  std::vector<std::string> examples;  // whole lines, "mixtune predict runs/rte ..."
  // Declares the arguments on `app`. The returned function owns the variables they are parsed into.
  std::function<CommandRun(CLI::App& app)> declare;
};

const Registry<CommandEntry>& commands();

// Exit codes.
constexpr int kDone = 0, kBug = 1, kUserMistake = 2, kInterrupted = 130;

}  // namespace mixtune
