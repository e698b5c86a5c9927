// Checkpoints: everything a run needs to go on as if it had never stopped. Random numbers are a
// function of (seed, step), so no generator states are kept. A folder counts once its DONE file is
// there; it gets its name last, by a rename.
#pragma once

#include "moe/attachment.h"
#include "train/optimizer.h"
#include "train/training_callback.h"

namespace mixtune {

// What must be equal for a resumed run to be the same run.
struct Identity {
  std::string config;  // JSON of the options that decide results
  std::string data;    // hash of texts and labels
  std::string tokens;  // hash of the token ids: the tokenizer's doing
  std::string model;   // config.json and the sizes of the weight files
  std::string tool;    // version of this program
};

struct Cursor {
  int64_t step = 0;                      // optimizer steps done
  int64_t epoch = 0, step_in_epoch = 0;  // where the next step stands
  std::optional<double> best_value;
  int64_t best_step = 0, evaluations_without_best = 0;
  std::vector<MetricValue> best_metrics;
  double best_loss = std::numeric_limits<double>::quiet_NaN();
  double seconds = 0, timed_seconds = 0;  // in all; of the steps that count for tokens per second
  int64_t timed_tokens = 0;
  bool stopped_early = false;
  Identity identity;
};

class Checkpoints {
 public:
  // `folder`: RUN/checkpoints; made with the first checkpoint.
  explicit Checkpoints(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Writes step-<n> unless it is there already and not set aside. UserError (disk full) leaves the
  // earlier ones as they were.
  std::filesystem::path save(const Cursor& cursor, const Attachment& attachment,
                             const AdamW& optimizer);
  void mark_best(int64_t step);  // best -> step-<n>
  // Removes all but the last `keep`, the best one, and what a crash left half-written.
  void retain(int64_t keep, int64_t best_step);

  // The step after it was not finite: no run goes on from step-<n>, if there is one, any more. It
  // may be the best one all the same, so it stays.
  void set_aside(int64_t step);

  // To go on from: those that were set aside do not count.
  std::optional<int64_t> last_complete() const;
  std::filesystem::path at(int64_t step) const;
  Cursor read_cursor(int64_t step) const;
  // Puts a checkpoint back. UserError where a tensor is missing or of another shape.
  void restore(int64_t step, Attachment& attachment, AdamW& optimizer) const;

 private:
  std::vector<int64_t> complete() const;  // rising
  std::filesystem::path folder_;
};

}  // namespace mixtune
