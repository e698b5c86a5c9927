#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace molt {

double Schedule::factor(int64_t step) const {
  if (step < warmup_steps) return static_cast<double>(step) / static_cast<double>(warmup_steps);
  if (kind == Kind::constant) return 1;
  const double span = static_cast<double>(std::max<int64_t>(1, total_steps - warmup_steps));
  if (kind == Kind::linear) return std::max(0.0, static_cast<double>(total_steps - step) / span);
  // Past the end the cosine rises again, as in transformers; a run never gets there.
  const double done = static_cast<double>(step - warmup_steps) / span;
  return 0.5 * (1 + std::cos(std::numbers::pi * done));
}

Schedule::Kind schedule_kind(const std::string& name) {
  if (name == "constant") return Schedule::Kind::constant;
  if (name == "linear") return Schedule::Kind::linear;
  MOLT_CHECK(name == "cosine", "schedule " + name);
  return Schedule::Kind::cosine;
}

int64_t warmup_steps(double warmup, int64_t total_steps) {
  if (warmup < 1) return static_cast<int64_t>(std::ceil(static_cast<double>(total_steps) * warmup));
  return static_cast<int64_t>(std::llround(warmup));
}

}  // namespace molt
