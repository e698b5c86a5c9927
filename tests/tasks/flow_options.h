// Converts options of a test, "{a: 1, b: x}", to indented lines of YAML.
#pragma once

#include <string>

namespace mixtune::test {

inline std::string option_lines(const std::string& flow) {
  if (!flow.starts_with('{')) return flow;
  std::string out;
  for (size_t i = 1; i + 1 < flow.size(); ++i) {
    const bool separates = flow.compare(i, 2, ", ") == 0;
    out += separates ? '\n' : flow[i];
    i += separates;
  }
  return out;
}

}  // namespace mixtune::test
