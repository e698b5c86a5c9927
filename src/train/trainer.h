// Training: from a config to a run folder, and on from where a run stopped.
#pragma once

#include <atomic>

#include "train/session.h"

namespace mixtune {

struct RunResult {
  std::filesystem::path folder = {};
  std::string task = {}, method = {};
  int64_t seed = 0, steps = 0, best_step = 0;  // best_step 0: nothing was evaluated
  std::vector<MetricValue> metrics = {};       // of the best evaluation
  double evaluation_loss = std::numeric_limits<double>::quiet_NaN();
  int64_t trainable_parameters = 0, peak_memory_bytes = 0;
  double tokens_per_second = 0, seconds = 0;
  bool interrupted = false;    // saved; `mixtune resume folder` goes on
  bool stopped_early = false;  // early stopping
};

struct TrainOptions {
  bool overwrite = false;
  Origins origins = {};                          // of the config's values, for config.yaml
  const std::atomic<bool>* interrupt = nullptr;  // read between steps: true saves and returns
  std::string command = {};                      // as typed, for environment.json
};
// UserError leaves no folder if the first step was not reached, and what was saved before
// otherwise.
RunResult train(const RunConfig& config, const TrainOptions& options, TrainingCallback& progress);

struct ResumeOptions {
  bool allow_changed = false;  // go on although config, data, tokenizer or model changed
  const std::atomic<bool>* interrupt = nullptr;
  std::string command = {};
};
// From the last complete checkpoint; losses and weights are those of a run that was never stopped.
// A run that is done gives its result again.
RunResult resume(const std::filesystem::path& run, const ResumeOptions& options,
                 TrainingCallback& progress);

}  // namespace mixtune
