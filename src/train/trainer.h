// The entry points of training: train() creates a run folder from a config, resume() continues an
// interrupted run.
#pragma once

#include <atomic>

#include "train/session.h"

namespace mixtune {

struct RunResult {
  std::filesystem::path folder = {};
  std::string task = {}, method = {};
  int64_t seed = 0, steps = 0, best_step = 0;  // best_step 0: no evaluation
  std::vector<MetricValue> metrics = {};       // of the best evaluation
  double evaluation_loss = std::numeric_limits<double>::quiet_NaN();
  int64_t trainable_parameters = 0, peak_memory_bytes = 0;
  double tokens_per_second = 0, seconds = 0;
  bool interrupted = false;    // saved; `mixtune resume` continues
  bool stopped_early = false;  // by early stopping
};

struct TrainOptions {
  bool overwrite = false;
  Origins origins = {};                          // origins of the config's values, for config.yaml
  const std::atomic<bool>* interrupt = nullptr;  // read between steps: true saves and returns
  std::string command = {};                      // as typed, for environment.json
};
// After a UserError before the first step there is no folder; after a later one the saved files
// stay.
RunResult train(const RunConfig& config, const TrainOptions& options, TrainingCallback& progress);

struct ResumeOptions {
  bool allow_changed = false;  // continue even if config, data, tokenizer or model changed
  const std::atomic<bool>* interrupt = nullptr;
  std::string command = {};
};
// Continues from the last complete checkpoint; losses and weights equal those of a run that was
// never stopped. Returns the stored result if the run is finished.
RunResult resume(const std::filesystem::path& run, const ResumeOptions& options,
                 TrainingCallback& progress);

}  // namespace mixtune
