// Writes files byte by byte, including malformed ones, and returns the error of reading them.
#pragma once

#include <cstring>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "support/paths.h"

namespace mixtune::test {

// A safetensors file with this header and this many bytes of data (0, 1, 2, ...).
inline std::string raw_safetensors(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  out += header;
  for (size_t i = 0; i < data_bytes; ++i) out += static_cast<char>(i);
  return out;
}

// The error message without the temporary folder's name; "no error" if there is none.
template <class Action>
std::string error_line(const TemporaryFolder& folder, const Action& action) {
  try {
    action();
  } catch (const UserError& error) {
    std::string line = error.what();
    const std::string prefix = folder.path().string() + '/';
    for (size_t at; (at = line.find(prefix)) != line.npos;) line.erase(at, prefix.size());
    return line;
  }
  return "no error";
}

}  // namespace mixtune::test
