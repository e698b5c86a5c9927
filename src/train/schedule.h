// The learning-rate schedule, as a factor of the group's rate. As in transformers, the warm-up
// starts at 0, which is the rate of the first step, and the decay reaches its end after the last
// step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mixtune {

struct Schedule {
  enum class Kind {
    constant,
    linear,
    cosine,
    cosine_with_restarts,
    polynomial,
    inverse_sqrt,
    warmup_stable_decay
  } kind = Kind::linear;
  int64_t warmup_steps = 0, total_steps = 0;
  double end = 0;           // final factor; unused by constant, restarts and inverse_sqrt
  int64_t cycles = 1;       // cosine_with_restarts: number of cycles
  double power = 1;         // polynomial: exponent
  int64_t decay_steps = 0;  // warmup_stable_decay: number of last steps with cosine decay

  double factor(int64_t step) const;  // for optimizer step `step`, from 0
};

const std::vector<std::string>& schedule_names();
Schedule::Kind schedule_kind(const std::string& name);

// `warmup` below 1 is a share of all steps, rounded up; otherwise a number of steps.
int64_t warmup_steps(double warmup, int64_t total_steps);

}  // namespace mixtune
