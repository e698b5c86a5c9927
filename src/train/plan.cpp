#include "train/plan.h"

#include <cmath>
#include <fstream>

namespace mixtune {

BatchPlan batch_plan(const Session& session) {
  const TrainSettings& train = session.config.train;
  std::vector<int64_t> lengths;
  for (const EncodedExample& e : session.train.examples)
    lengths.push_back(static_cast<int64_t>(e.ids.size()));
  return BatchPlan(std::move(lengths),
                   {.batch_size = train.batch_size,
                    .batch_tokens = train.batch_tokens,
                    .accumulate = train.accumulate},
                   static_cast<RandomKey>(train.seed));
}

int64_t total_steps(const TrainSettings& train, const BatchPlan& plan) {
  if (train.steps) return *train.steps;
  const auto whole = static_cast<int64_t>(std::floor(train.epochs));
  int64_t steps = 0;
  for (int64_t epoch = 0; epoch < whole; ++epoch) steps += plan.steps_in(epoch);
  const double rest = train.epochs - static_cast<double>(whole);
  if (rest > 0)
    steps += static_cast<int64_t>(std::ceil(rest * static_cast<double>(plan.steps_in(whole))));
  return steps;
}

Schedule schedule_of(const TrainSettings& train, int64_t total_steps) {
  return {.kind = schedule_kind(train.schedule),
          .warmup_steps = warmup_steps(train.warmup, total_steps),
          .total_steps = total_steps,
          .end = train.schedule_end,
          .cycles = train.schedule_cycles,
          .power = train.schedule_power,
          .decay_steps = warmup_steps(train.schedule_decay, total_steps)};
}

AdamWOptions optimizer_options(const TrainSettings& train, const Attachment& attachment) {
  AdamWOptions out{.beta1 = train.betas[0],
                   .beta2 = train.betas[1],
                   .epsilon = train.epsilon,
                   .defaults = {train.learning_rate, train.weight_decay},
                   .groups = {}};
  if (train.head_learning_rate)
    out.groups["head"] = {*train.head_learning_rate, train.weight_decay};
  for (const auto& [name, settings] : attachment.groups)
    out.groups[name] = {
        settings.learning_rate.value_or(train.learning_rate) * settings.learning_rate_ratio,
        settings.weight_decay.value_or(train.weight_decay)};
  return out;
}

int64_t peak_memory() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  return 0;
}

}  // namespace mixtune
