#include "cli/appended_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw UserError(path.string(), "cannot be " + what + ": " + std::strerror(errno),
                  "Check the folder, its permissions and the free disk space.");
}

// Its errors name the output file, not the marker.
void write_mark(const fs::path& path, const std::string& settings) {
  try {
    write_file_atomically(unfinished_marker(path), settings);
  } catch (const UserError& error) {
    throw UserError(path.string(), error.found(), error.todo());
  }
}

}  // namespace

fs::path unfinished_marker(const fs::path& file) {
  return file.string() + ".unfinished";
}

AppendedFile::AppendedFile(fs::path path, const std::string& settings, ExistingFile existing)
    : path_(std::move(path)), mark_(unfinished_marker(path_)) {
  std::error_code error;
  if (fs::is_directory(path_, error))
    throw UserError(path_.string(), "is a folder; expected a file", "Name a file inside it.");
  const bool replaces = existing == ExistingFile::replace;
  const bool resumes = !replaces && fs::exists(path_, error);
  const bool unfinished = fs::exists(mark_, error);
  if (resumes && !unfinished)
    throw UserError(path_.string(), "exists already and is finished",
                    "Name another file, or add --overwrite.");
  if (resumes && read_file(mark_) != settings)
    throw UserError(path_.string(), "was started with other inputs, weights or options",
                    "Use the same ones to continue, or add --overwrite to start again.");
  size_t whole = 0;  // bytes of whole lines
  if (resumes) {
    const std::string content = read_file(path_);
    for (size_t end; (end = content.find('\n', whole)) != std::string::npos; whole = end + 1)
      lines_.push_back(content.substr(whole, end - whole));
  }
  // The marker is written first, because a file without one counts as finished.
  write_mark(path_, settings);
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) {
    const int reason = errno;
    if (!unfinished) fs::remove(mark_, error);
    errno = reason;
    fail(path_, "written");
  }
  if (::ftruncate(file_, static_cast<off_t>(whole)) != 0 ||
      ::lseek(file_, static_cast<off_t>(whole), SEEK_SET) < 0) {
    ::close(file_);
    fail(path_, "written");
  }
}

AppendedFile::~AppendedFile() {
  if (file_ >= 0) ::close(file_);
}

void AppendedFile::append(const std::string& lines) {
  for (size_t done = 0; done < lines.size();) {
    const ssize_t count = ::write(file_, lines.data() + done, lines.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path_, "written");
    done += static_cast<size_t>(count);
  }
  if (::fsync(file_) != 0 && errno != EINVAL) fail(path_, "written");
}

void AppendedFile::finish() {
  std::error_code error;
  fs::remove(mark_, error);
  if (error) throw UserError(mark_.string(), "cannot be removed", "Remove it by hand.");
}

}  // namespace mixtune
