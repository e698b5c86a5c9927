// The program from its arguments to its exit code: 0 done, 1 a bug or out of memory, 2 a user mistake, 130
// interrupted.
#pragma once

#include <string>
#include <vector>

namespace mixtune {

// `arguments` without the program's name. Never throws: a failure is one line on stderr.
int run_program(const std::vector<std::string>& arguments);

// "mixtune 0.1.0"
std::string version();

}  // namespace mixtune
