// The files of a run (docs/design.md, "The run folder"). A folder is made by the first step and not
// before: until then, whatever goes wrong leaves things as they were, an overwritten run included.
#pragma once

#include <filesystem>

#include "base/json.h"
#include "base/log.h"
#include "files/events.h"
#include "train/session.h"
#include "train/trainer.h"

namespace mixtune {

class RunFolder {
 public:
  // UserError where `path` has something in it, unless `overwrite` is set and it is a run.
  static RunFolder create(const std::filesystem::path& path, const RunConfig& config,
                          const TrainOptions& options);
  // Goes on in a run; what its events say beyond `step` is dropped.
  static RunFolder reopen(const std::filesystem::path& path, int64_t step);

  // Takes back what create() did unless keep() was called.
  ~RunFolder();
  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  void keep();

  const std::filesystem::path& path() const { return path_; }
  void event(const Json& event) { events_.write(event); }
  void log(std::string_view line);
  void write_environment(const Session& session, const std::string& command) const;
  void write_result(const RunResult& result) const;
  void write_routing(const RoutingRecord& record) const;

 private:
  RunFolder(std::filesystem::path path, EventWriter events);

  std::filesystem::path path_,
      replaced_;                // replaced_: where the overwritten run stands until keep()
  std::filesystem::path made_;  // the uppermost folder that create() made; empty: none
  bool is_new_ = false;
  EventWriter events_;
  std::unique_ptr<Log> log_;
};

// UserError where `path` has something in it, unless `overwrite` is true and it is a run. Changes
// nothing.
void check_free(const std::filesystem::path& path, bool overwrite);

// Nothing where the run is not done. UserError where the file is malformed.
std::optional<RunResult> read_result(const std::filesystem::path& run);

}  // namespace mixtune
