// The files of a run (docs/design.md, "The run folder"). The folder is permanent only after the
// first step: an earlier failure removes it and restores a run that was to be overwritten.
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
  // UserError if `path` is not empty, unless `overwrite` is set and it is a run.
  static RunFolder create(const std::filesystem::path& path, const RunConfig& config,
                          const TrainOptions& options);
  // Opens an existing run; its events after `step` are removed.
  static RunFolder reopen(const std::filesystem::path& path, int64_t step);

  // Undoes create() unless keep() was called.
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

  std::filesystem::path path_;
  std::filesystem::path replaced_;  // the overwritten run until keep()
  std::filesystem::path made_;      // the topmost folder that create() made; empty: none
  bool is_new_ = false;
  EventWriter events_;
  std::unique_ptr<Log> log_;
};

// UserError if `path` is not empty, unless `overwrite` is true and it is a run. Changes nothing.
void check_free(const std::filesystem::path& path, bool overwrite);

// nullopt if the run is not finished. UserError if the file is malformed.
std::optional<RunResult> read_result(const std::filesystem::path& run);

}  // namespace mixtune
