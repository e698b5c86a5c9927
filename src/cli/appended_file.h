// A file of lines that is written as a long job goes on: each line is on the disk before the next
// is made, and a job that was interrupted goes on behind the lines that stand. While it is
// unfinished, FILE.unfinished beside it holds the settings it is made with.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mixtune {

// FILE.unfinished
std::filesystem::path unfinished_mark(const std::filesystem::path& file);

enum class ExistingFile { reject, replace };

class AppendedFile {
 public:
  // Opens `path`, or goes on with it where an unfinished job with the same settings left it; half a
  // line at its end is dropped. UserError where it is finished already and not to be replaced, or
  // was begun with other settings.
  AppendedFile(std::filesystem::path path, const std::string& settings, ExistingFile existing);
  ~AppendedFile();
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;

  // The lines that stood when it was opened, without their ends.
  const std::vector<std::string>& lines() const { return lines_; }
  // Each line with its end. They are on the disk when this returns.
  void append(const std::string& lines);
  void finish();

 private:
  std::filesystem::path path_, mark_;
  std::vector<std::string> lines_;
  int file_ = -1;
};

}  // namespace mixtune
