// The events of a run, one JSON object on each line, append-only: a run that dies loses at most the
// line it was writing, and a resumed run goes on from exactly the step of its checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

namespace mixtune {

class EventWriter {
 public:
  // A new file; UserError where there is one already.
  static EventWriter create(const std::filesystem::path& path);
  // Goes on in a file: a torn last line is dropped and, where `step` is given, so is every line
  // whose "step" is greater. A missing file is created.
  static EventWriter resume(const std::filesystem::path& path, std::optional<int64_t> step);

  ~EventWriter();
  EventWriter(EventWriter&& other) noexcept;
  EventWriter& operator=(EventWriter&& other) noexcept;

  // One line, handed to the system before this returns. UserError where it cannot be written.
  void write(const nlohmann::json& event);

 private:
  EventWriter(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::filesystem::path path_;
  int fd_ = -1;
};

// The events of a run that may still be writing: a torn last line is left out.
std::vector<nlohmann::json> read_events(const std::filesystem::path& path);

}  // namespace mixtune
