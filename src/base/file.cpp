#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

std::string reason() {
  return std::strerror(errno);
}

[[noreturn]] void cannot_write(const fs::path& path, const std::string& why) {
  throw UserError(path.string(), "cannot be written (" + why + ")",
                  "Free disk space or choose another place. The existing file is unchanged.");
}

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int close() {
    const int result = fd_ >= 0 ? ::close(fd_) : 0;
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

}  // namespace

std::string read_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error))
    throw UserError(path.string(), "is a folder; expected a file", "Name a file inside it.");
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0)
    throw UserError(path.string(), "cannot be read (" + reason() + ")", "Check the path.");
  std::string content;
  struct stat status;
  if (::fstat(file.get(), &status) == 0 && status.st_size > 0) content.reserve(status.st_size + 1);
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      throw UserError(path.string(), "cannot be read (" + reason() + ")", "Check the file.");
    if (count == 0) return content;
    content.append(buffer, static_cast<size_t>(count));
  }
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  write_file_atomically(path, [&](const ByteSink& sink) { sink(content.data(), content.size()); });
}

void write_file_atomically(const fs::path& path,
                           const std::function<void(const ByteSink&)>& write) {
  const fs::path temporary = path.string() + ".tmp-" + std::to_string(::getpid());
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0) cannot_write(path, reason());
  try {
    write([&](const void* data, size_t bytes) {
      const char* next = static_cast<const char*>(data);
      while (bytes > 0) {
        const ssize_t count = ::write(file.get(), next, bytes);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) cannot_write(path, reason());
        next += count;
        bytes -= static_cast<size_t>(count);
      }
    });
    if (::fsync(file.get()) != 0) cannot_write(path, reason());
    if (file.close() != 0) cannot_write(path, reason());
    if (::rename(temporary.c_str(), path.c_str()) != 0) cannot_write(path, reason());
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  // The folder is synchronized too, if possible, so that the rename survives a power failure.
  Descriptor folder(::open(path.has_parent_path() ? path.parent_path().c_str() : ".",
                           O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());
}

void create_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    throw UserError(path.string(), "cannot be created (" + error.message() + ")",
                    "Choose another place or change its permissions.");
}

}  // namespace mixtune
