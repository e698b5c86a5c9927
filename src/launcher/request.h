// What a command line asks of the program as a whole: the launcher answers these requests without
// libtorch, and the program, for tests, too.
#pragma once

#include <string>
#include <vector>

namespace mixtune {

// `none`: no argument at all, which is a mistake that the overview answers.
enum class ProgramRequest { version, overview, none, command };

inline ProgramRequest request_of(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return ProgramRequest::none;
  const std::string& first = arguments.front();
  if (first == "--version" || first == "-V") return ProgramRequest::version;
  if (first == "--help" || first == "-h" || (first == "help" && arguments.size() == 1))
    return ProgramRequest::overview;
  return ProgramRequest::command;
}

}  // namespace mixtune
