// Prints the progress of training: one bar that is redrawn on a terminal, lines elsewhere.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "train/training_callback.h"

namespace mixtune {

class ConsoleProgress final : public TrainingCallback {
 public:
  // The stream is borrowed. If it is not a terminal, about `lines` step lines are printed in all.
  explicit ConsoleProgress(std::FILE* stream, int lines = 20);
  ~ConsoleProgress() override;

  void on_step(const StepReport& report) override;
  void on_evaluation(const EvaluationReport& report) override;
  void on_message(std::string_view line) override;
  void on_warning(std::string_view line) override;

 private:
  void write_line(const std::string& line);
  void clear_bar();

  std::FILE* stream_;
  bool is_terminal_, has_bar_ = false;
  int lines_;
  double recent_loss_ = 0;  // running mean; the loss of single steps is too noisy to read
  int64_t last_line_ = 0;
  std::chrono::steady_clock::time_point last_drawn_{};
};

// "accuracy 0.684, f1 0.701"
std::string metrics_text(const std::vector<MetricValue>& metrics);

}  // namespace mixtune
