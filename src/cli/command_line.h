// The command line as it was typed; a run stores it in its events.
#pragma once

#include <string>

namespace mixtune {

// Arguments with characters that a shell interprets are quoted. Empty if /proc is not available.
std::string typed_command_line();

}  // namespace mixtune
