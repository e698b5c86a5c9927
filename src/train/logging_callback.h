// Forwards reports to another callback and writes the lines to log.txt. Lines from before the run
// folder exists are stored until open().
#pragma once

#include "train/run_folder.h"
#include "train/training_callback.h"

namespace mixtune {

class LoggingCallback final : public TrainingCallback {
 public:
  explicit LoggingCallback(TrainingCallback& next) : next_(next) {}
  void on_step(const StepReport& report) override { next_.on_step(report); }
  void on_evaluation(const EvaluationReport& report) override { next_.on_evaluation(report); }
  void on_checkpoint(const std::filesystem::path& folder, int64_t step) override {
    next_.on_checkpoint(folder, step);
  }
  void on_message(std::string_view line) override {
    next_.on_message(line);
    write(std::string(line));
  }
  void on_warning(std::string_view line) override {
    next_.on_warning(line);
    write("warning: " + std::string(line));
  }
  // Writes to log.txt only.
  void write(const std::string& line) {
    if (folder_)
      folder_->log(line);
    else
      waiting_.push_back(line);
  }
  void open(RunFolder* folder) {
    folder_ = folder;
    for (const std::string& line : waiting_) folder_->log(line);
    waiting_.clear();
  }

 private:
  TrainingCallback& next_;
  RunFolder* folder_ = nullptr;
  std::vector<std::string> waiting_;
};

}  // namespace mixtune
