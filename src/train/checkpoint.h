// Checkpoints: everything a run needs to continue as if it had never stopped. Random numbers are a
// function of (seed, step), so there is no generator state. A checkpoint is complete if it has a
// DONE file; its folder gets the final name last, by a rename.
#pragma once

#include "moe/attachment.h"
#include "train/optimizer.h"
#include "train/training_callback.h"

namespace mixtune {

// Everything that must be equal for a resumed run to be the same run.
struct Identity {
  std::string config;  // JSON of the options that affect results
  std::string data;    // hash of texts and labels
  std::string tokens;  // hash of the token ids, which depend on the tokenizer
  std::string model;   // config.json and the sizes of the weight files
  std::string tool;    // version of this program
};

struct Cursor {
  int64_t step = 0;                      // optimizer steps done
  int64_t epoch = 0, step_in_epoch = 0;  // position of the next step
  std::optional<double> best_value;
  int64_t best_step = 0, evaluations_without_best = 0;
  std::vector<MetricValue> best_metrics;
  double best_loss = std::numeric_limits<double>::quiet_NaN();
  double seconds = 0, timed_seconds = 0;  // total; of the steps used for tokens per second
  int64_t timed_tokens = 0;
  bool stopped_early = false;
  Identity identity;
};

class Checkpoints {
 public:
  // `folder` is RUN/checkpoints; it is created with the first checkpoint.
  explicit Checkpoints(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Writes step-<n> unless it exists and is not set aside. UserError (disk full) leaves the earlier
  // ones unchanged.
  std::filesystem::path save(const Cursor& cursor, const Attachment& attachment,
                             const AdamW& optimizer);
  void mark_best(int64_t step);  // best -> step-<n>
  // Removes incomplete checkpoints and all complete ones but the last `keep` and the best.
  void retain(int64_t keep, int64_t best_step);

  // Marks step-<n>, if it exists, as not usable for resuming, since the next step was not finite.
  // It is not removed, since it may be the best checkpoint.
  void set_aside(int64_t step);

  // The last checkpoint that is not set aside.
  std::optional<int64_t> last_complete() const;
  std::filesystem::path at(int64_t step) const;
  Cursor read_cursor(int64_t step) const;
  // Loads a checkpoint. UserError if a tensor is missing or has another shape.
  void restore(int64_t step, Attachment& attachment, AdamW& optimizer) const;

 private:
  std::vector<int64_t> complete() const;  // ascending
  std::filesystem::path folder_;
};

}  // namespace mixtune
