#include "base/log.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.h"

namespace mixtune {

Log::~Log() {
  if (file_ != nullptr) std::fclose(file_);
}

void Log::open_file(const std::filesystem::path& path) {
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr)
    throw UserError(path.string(),
                    "cannot be opened for the log (" + std::string(std::strerror(errno)) + ")",
                    "Choose another output folder or change its permissions.");
  const std::lock_guard lock(mutex_);
  if (file_ != nullptr) std::fclose(file_);
  file_ = file;
}

void Log::info(std::string_view line) {
  write("", line);
}
void Log::warn(std::string_view line) {
  write("warning: ", line);
}

void Log::write(std::string_view prefix, std::string_view line) {
  std::string whole(prefix);
  whole += line;
  whole += '\n';
  const std::lock_guard lock(mutex_);
  // One call per line keeps lines intact if several programs share a terminal. Write errors are
  // ignored, because a full disk must not stop a run through its log.
  for (std::FILE* out : {stream_, file_}) {
    if (out == nullptr) continue;
    std::fwrite(whole.data(), 1, whole.size(), out);
    std::fflush(out);
  }
}

}  // namespace mixtune
