// The command line as it was typed, for the records of a run.
#pragma once

#include <string>

namespace mixtune {

// Arguments that a shell would take apart are in quotes. Empty where the system does not tell.
std::string typed_command_line();

}  // namespace mixtune
