// Writes messages to a stream (stderr by default) and, once a run folder exists, also to a file. A
// Log is passed to the functions that use it; there is no global one.
#pragma once

#include <cstdio>
#include <filesystem>
#include <mutex>
#include <string_view>

namespace mixtune {

class Log {
 public:
  // The stream is borrowed; null: no stream.
  explicit Log(std::FILE* stream = stderr) : stream_(stream) {}
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Later lines are also appended to this file. UserError if it cannot be opened.
  void open_file(const std::filesystem::path& path);

  void info(std::string_view line);
  void warn(std::string_view line);  // "warning: line"

 private:
  void write(std::string_view prefix, std::string_view line);

  std::mutex mutex_;
  std::FILE* stream_;
  std::FILE* file_ = nullptr;
};

}  // namespace mixtune
