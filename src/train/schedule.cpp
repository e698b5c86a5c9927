#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace mixtune {

namespace {

// Half a cosine from 1 to 0 for `done` from 0 to 1.
double half_cosine(double done) {
  return 0.5 * (1 + std::cos(std::numbers::pi * done));
}

}  // namespace

double Schedule::factor(int64_t step) const {
  if (step < warmup_steps) return static_cast<double>(step) / static_cast<double>(warmup_steps);
  const double span = static_cast<double>(std::max<int64_t>(1, total_steps - warmup_steps));
  const double after = static_cast<double>(step - warmup_steps);
  const double left = std::max(0.0, static_cast<double>(total_steps - step) / span);
  const auto to_end = [&](double x) { return x * (1 - end) + end; };
  switch (kind) {
    case Kind::constant:
      return 1;
    case Kind::linear:
      return to_end(left);
    case Kind::cosine:
      // Past the end the cosine rises again, as in transformers; a run does not reach this.
      return to_end(half_cosine(after / span));
    case Kind::cosine_with_restarts:
      return step >= total_steps
                 ? 0
                 : half_cosine(std::fmod(static_cast<double>(cycles) * after / span, 1.0));
    case Kind::polynomial:
      return to_end(std::pow(left, power));
    case Kind::inverse_sqrt: {
      const auto scale = static_cast<double>(warmup_steps > 0 ? warmup_steps : 10000);
      return 1 / std::sqrt((after + scale) / scale);
    }
    case Kind::warmup_stable_decay: {
      const double fallen = static_cast<double>(step - (total_steps - decay_steps)) /
                            static_cast<double>(std::max<int64_t>(1, decay_steps));
      return to_end(fallen <= 0 ? 1 : fallen >= 1 ? 0 : half_cosine(fallen));
    }
  }
  throw BugError("schedule");
}

const std::vector<std::string>& schedule_names() {
  static const std::vector<std::string> names = {"constant",
                                                 "linear",
                                                 "cosine",
                                                 "cosine_with_restarts",
                                                 "polynomial",
                                                 "inverse_sqrt",
                                                 "warmup_stable_decay"};
  return names;
}

Schedule::Kind schedule_kind(const std::string& name) {
  const auto& names = schedule_names();
  const auto found = std::find(names.begin(), names.end(), name);
  MIXTUNE_CHECK(found != names.end(), "schedule " + name);
  return static_cast<Schedule::Kind>(found - names.begin());
}

int64_t warmup_steps(double warmup, int64_t total_steps) {
  if (warmup < 1) return static_cast<int64_t>(std::ceil(static_cast<double>(total_steps) * warmup));
  return static_cast<int64_t>(std::llround(warmup));
}

}  // namespace mixtune
