#include "files/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace mixtune {

std::shared_ptr<const Mapping> Mapping::open(const std::filesystem::path& path) {
  const auto fail = [&](const std::string& what) {
    throw UserError(path.string(), what, "Check the path.");
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail("cannot be read (" + std::string(std::strerror(errno)) + ")");
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    fail("is not a file");
  }
  const size_t size = static_cast<size_t>(status.st_size);
  void* data = nullptr;
  if (size > 0) data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  ::close(fd);  // the mapping remains valid
  if (data == MAP_FAILED)
    fail("cannot be mapped into memory (" + std::string(std::strerror(error)) + ")");
  return std::shared_ptr<const Mapping>(new Mapping(static_cast<const std::byte*>(data), size));
}

Mapping::~Mapping() {
  if (size_ > 0) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace mixtune
