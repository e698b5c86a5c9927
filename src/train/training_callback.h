// Reports of training. The library never prints: the program displays these reports, and tests
// collect them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tasks/task.h"

namespace mixtune {

using NamedNumbers = std::vector<std::pair<std::string, double>>;

struct StepReport {
  int64_t step = 0, total_steps = 0;  // from 1
  double epoch = 0;                   // epochs done, 1.5 in the middle of the second
  double loss = 0;                    // the task's, mean over the step's sequences
  NamedNumbers auxiliary = {};        // unweighted, by name, mean over micro-batches
  double learning_rate = 0;           // of the default group
  double gradient_norm = 0;           // before clipping
  int64_t sequences = 0, tokens = 0;  // of this step
  double tokens_per_second = 0;       // so far, without the first two steps; 0: not yet known
  double seconds_left = 0;            // estimate for the remaining steps; 0: not yet known
  std::string routing = {};           // summary of the routing of recorded steps; may be empty
};

struct SetReport {
  std::string set = {};  // "dev", "dev_mismatched"
  int64_t examples = 0;
  double loss = std::numeric_limits<double>::quiet_NaN();  // nan: no labels
  std::vector<MetricValue> metrics = {};
};

struct EvaluationReport {
  int64_t step = 0;
  double epoch = 0;
  std::vector<SetReport> sets = {};
  std::string main_metric = {};
  double main_value = std::numeric_limits<double>::quiet_NaN();
  bool is_best = false;  // so far
};

class TrainingCallback {
 public:
  virtual ~TrainingCallback() = default;
  virtual void on_step(const StepReport&) {}
  virtual void on_evaluation(const EvaluationReport&) {}
  virtual void on_checkpoint(const std::filesystem::path& folder, int64_t step) {}
  // A line of text. Warnings do not begin with the word "warning".
  virtual void on_message(std::string_view line) {}
  virtual void on_warning(std::string_view line) {}
};

}  // namespace mixtune
