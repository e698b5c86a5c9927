// The learning rate over a run, as a factor of the group's rate. As in transformers: warm-up rises
// from 0, which is the rate of the first step, and what falls to the end reaches it after the last
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
  double end = 0;           // factor at the end; not of constant, restarts and inverse_sqrt
  int64_t cycles = 1;       // cosine_with_restarts: how often it falls
  double power = 1;         // polynomial
  int64_t decay_steps = 0;  // warmup_stable_decay: the last steps, which fall as a cosine does

  double factor(int64_t step) const;  // of optimizer step `step`, from 0
};

const std::vector<std::string>& schedule_names();
Schedule::Kind schedule_kind(const std::string& name);

// `warmup` below 1 is a share of all steps, rounded up; from 1 on a number of steps.
int64_t warmup_steps(double warmup, int64_t total_steps);

}  // namespace mixtune
