// The events of a run, one JSON object per line, append-only: a run that crashes loses at most the
// line it was writing, and a resumed run continues from exactly the step of its checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

namespace mixtune {

class EventWriter {
 public:
  // Creates a new file. Throws UserError if it exists already.
  static EventWriter create(const std::filesystem::path& path);
  // Continues a file: an incomplete last line is dropped and, if `step` is given, so is every line
  // whose "step" is greater. A missing file is created.
  static EventWriter resume(const std::filesystem::path& path, std::optional<int64_t> step);

  ~EventWriter();
  EventWriter(EventWriter&& other) noexcept;
  EventWriter& operator=(EventWriter&& other) noexcept;

  // Writes one line, passed to the operating system before this returns. Throws UserError if that
  // fails.
  void write(const nlohmann::json& event);

 private:
  EventWriter(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::filesystem::path path_;
  int fd_ = -1;
};

// The events of a run, which may still be in progress: an incomplete last line is ignored.
std::vector<nlohmann::json> read_events(const std::filesystem::path& path);

}  // namespace mixtune
