#include "files/events.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "files/text_lines.h"

namespace mixtune {
namespace {

struct Event {
  std::string_view line;
  Json object;
};

// The complete events of a file. Only the last line may be incomplete, after a crash.
std::vector<Event> parse_events(std::string_view content, const std::string& source) {
  const std::vector<std::string_view> lines = split_lines(content);
  std::vector<Event> events;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string where = source + ':' + std::to_string(i + 1);
    try {
      Json object = parse_json(lines[i], where);
      if (!object.is_object()) throw UserError(where, "is not a JSON object", "");
      events.push_back({lines[i], std::move(object)});
    } catch (const UserError&) {
      if (i + 1 == lines.size()) break;
      throw UserError(where, "is not a JSON object",
                      "Remove the line; every line must be one event.");
    }
  }
  return events;
}

int open_for_append(const std::filesystem::path& path, int flags) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | flags, 0644);
  if (fd < 0)
    throw UserError(path.string(), "cannot be opened (" + std::string(std::strerror(errno)) + ")",
                    "Choose another output folder.");
  return fd;
}

}  // namespace

EventWriter EventWriter::create(const std::filesystem::path& path) {
  return EventWriter(path, open_for_append(path, O_EXCL));
}

EventWriter EventWriter::resume(const std::filesystem::path& path, std::optional<int64_t> step) {
  if (!std::filesystem::exists(path)) return create(path);
  const std::string content = read_file(path);
  std::string kept;
  for (const Event& event : parse_events(content, path.string())) {
    const auto found = event.object.find("step");
    const bool is_later = step && found != event.object.end() && found->is_number() &&
                          found->get<double>() > static_cast<double>(*step);
    if (is_later) continue;
    kept += event.line;
    kept += '\n';
  }
  if (kept != content) write_file_atomically(path, kept);
  return EventWriter(path, open_for_append(path, 0));
}

EventWriter::~EventWriter() {
  if (fd_ >= 0) ::close(fd_);
}

EventWriter::EventWriter(EventWriter&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

EventWriter& EventWriter::operator=(EventWriter&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

void EventWriter::write(const nlohmann::json& event) {
  MIXTUNE_CHECK(event.is_object(), "an event is an object");
  // A string that is not UTF-8 (a path, for example) must not end a run.
  std::string line = event.dump(-1, ' ', false, Json::error_handler_t::replace);
  line += '\n';
  for (size_t at = 0; at < line.size();) {
    const ssize_t count = ::write(fd_, line.data() + at, line.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      throw UserError(path_.string(),
                      "cannot be written (" + std::string(std::strerror(errno)) + ")",
                      "Free disk space; 'mixtune resume' continues from the last checkpoint.");
    at += static_cast<size_t>(count);
  }
}

std::vector<nlohmann::json> read_events(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  std::vector<Json> out;
  for (Event& event : parse_events(content, path.string())) out.push_back(std::move(event.object));
  return out;
}

}  // namespace mixtune
