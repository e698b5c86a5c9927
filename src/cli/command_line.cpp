#include "cli/command_line.h"

#include <fstream>

namespace mixtune {

std::string typed_command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string out;
  for (std::string argument; std::getline(file, argument, '\0');) {
    if (!out.empty()) out += ' ';
    const bool is_plain =
        !argument.empty() &&
        argument.find_first_of(" \t\n'\"\\$&|;<>()*?[]#~`!{}") == std::string::npos;
    if (is_plain) {
      out += argument;
      continue;
    }
    out += '\'';
    for (const char c : argument) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += '\'';
  }
  return out;
}

}  // namespace mixtune
