// Lines for people: to a stream (stderr unless told otherwise) and, once a run folder exists, to a
// file as well. A Log is an object that is passed in; there is no global one.
#pragma once

#include <cstdio>
#include <filesystem>
#include <mutex>
#include <string_view>

namespace mixtune {

class Log {
 public:
  // Null writes to no stream. The stream is borrowed.
  explicit Log(std::FILE* stream = stderr) : stream_(stream) {}
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // From now on every line is appended to this file too. UserError where it cannot be opened.
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
