// The output file of a long job, written line by line. Each line is on the disk before the next one
// is computed, and an interrupted job continues after the lines that exist. Until the file is
// complete, FILE.unfinished next to it stores the settings of the job.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mixtune {

// FILE.unfinished
std::filesystem::path unfinished_marker(const std::filesystem::path& file);

enum class ExistingFile { reject, replace };

class AppendedFile {
 public:
  // Creates `path`, or continues it if an unfinished job with the same settings wrote it; an
  // incomplete last line is dropped. UserError if the file is finished and must not be replaced, or
  // was started with other settings.
  AppendedFile(std::filesystem::path path, const std::string& settings, ExistingFile existing);
  ~AppendedFile();
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;

  // The lines that existed when the file was opened, without line ends.
  const std::vector<std::string>& lines() const { return lines_; }
  // `lines` include their line ends. They are on the disk when this returns.
  void append(const std::string& lines);
  void finish();

 private:
  std::filesystem::path path_, mark_;
  std::vector<std::string> lines_;
  int file_ = -1;
};

}  // namespace mixtune
