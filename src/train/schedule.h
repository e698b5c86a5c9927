// The learning rate over a run, as a factor of the group's rate. As in transformers: warm-up rises
// from 0, which is the rate of the first step; linear and cosine then fall to 0, which is reached
// after the last step.
#pragma once

#include <cstdint>
#include <string>

namespace molt {

struct Schedule {
  enum class Kind { constant, linear, cosine } kind = Kind::linear;
  int64_t warmup_steps = 0, total_steps = 0;

  double factor(int64_t step) const;  // of optimizer step `step`, from 0
};

Schedule::Kind schedule_kind(const std::string& name);

// `warmup` below 1 is a share of all steps, rounded up; from 1 on a number of steps.
int64_t warmup_steps(double warmup, int64_t total_steps);

}  // namespace molt
