// The training loop: step, evaluate, save. A later step depends only on the weights, the moments
// and the cursor, so resuming from a checkpoint is exact.
#include "train/training.h"

#include <fmt/format.h>

#include <cmath>

#include "train/adapter_load.h"
#include "train/diagnosis.h"
#include "train/evaluate.h"
#include "train/identity.h"
#include "train/last_good.h"
#include "train/plan.h"
#include "train/preflight.h"
#include "train/routing_report.h"
#include "train/run_events.h"
#include "train/step.h"

namespace mixtune {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kRecordedSteps = 20;  // number of steps of a run whose routing is recorded

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Prints nan without its sign.
std::string text_of(double value) {
  return std::isnan(value) ? "nan" : fmt::format("{}", value);
}

}  // namespace

class TrainingLoop {
 public:
  TrainingLoop(Session& session, RunFolder& folder, LoggingCallback& callback,
               const std::atomic<bool>* interrupt, Clock::time_point start)
      : session_(session),
        settings_(session.config.train),
        folder_(folder),
        callback_(callback),
        interrupt_(interrupt),
        start_(start),
        plan_(batch_plan(session)),
        total_(total_steps(settings_, plan_)),
        schedule_(schedule_of(settings_, total_)),
        optimizer_(session.attachment->trainables,
                   optimizer_options(settings_, *session.attachment)),
        checkpoints_(folder.path() / "checkpoints"),
        evaluate_every_(parse_interval(settings_.evaluate_every)),
        save_every_(parse_interval(settings_.save_every)),
        model_parameters_(model_parameters(*session.model)) {
    cursor_.identity = identity_of(session);
    for (const UpdateRule& rule : session.attachment->update_rules) rule.check(total_);
  }

  void go_back_to(int64_t step, const Cursor& cursor) {
    checkpoints_.restore(step, *session_.attachment, optimizer_);
    const Identity now = cursor_.identity;
    cursor_ = cursor;
    cursor_.identity = now;
    if (cursor_.best_step > 0) checkpoints_.mark_best(cursor_.best_step);
    seconds_before_ = cursor_.seconds;
    saved_step_ = step;
  }

  int64_t total() const { return total_; }

  RunResult run() {
    std::vector<StepBatches> batches;  // of epoch `planned`
    int64_t planned = -1;
    while (cursor_.step < total_ && !cursor_.stopped_early) {
      if (interrupt_ && interrupt_->load()) return interrupted();
      if (planned != cursor_.epoch) batches = plan_.epoch(planned = cursor_.epoch);
      const auto steps = static_cast<int64_t>(batches.size());
      if (cursor_.step_in_epoch >= steps) {  // a changed config may have made the epoch shorter
        next_epoch();
        continue;
      }
      StepReport report = step(batches[static_cast<size_t>(cursor_.step_in_epoch)]);
      ++cursor_.step;
      ++cursor_.step_in_epoch;
      report.epoch = static_cast<double>(cursor_.epoch) +
                     static_cast<double>(cursor_.step_in_epoch) / static_cast<double>(steps);
      const bool epoch_ends = cursor_.step_in_epoch == steps;
      if (epoch_ends) next_epoch();
      log_step(report);
      folder_.keep();

      const bool is_best = is_due(evaluate_every_, epoch_ends) && evaluate(report.epoch);
      const bool is_last = cursor_.step == total_ || cursor_.stopped_early;
      if (is_best || is_last || is_due(save_every_, epoch_ends)) save();
      if (is_best) checkpoints_.mark_best(cursor_.best_step);
    }
    return finish();
  }

 private:
  // The last step of a run counts as the end of an epoch, so that its weights are evaluated and
  // saved.
  bool is_due(const Interval& interval, bool epoch_ends) const {
    if (interval.kind == Interval::Kind::never) return false;
    if (cursor_.step == total_) return true;
    if (interval.kind == Interval::Kind::epoch) return epoch_ends;
    return cursor_.step % interval.steps == 0;
  }

  void next_epoch() {
    ++cursor_.epoch;
    cursor_.step_in_epoch = 0;
  }

  StepReport step(const StepBatches& batches) {
    const Clock::time_point begin = Clock::now();
    Trainables& trainables = session_.attachment->trainables;
    const int64_t number = cursor_.step + 1;
    if (is_recorded(number)) record_ = {};
    const StepLosses losses =
        accumulate_gradients(session_, batches,
                             {.seed = derive(static_cast<RandomKey>(settings_.seed), "forward"),
                              .step = number,
                              .label_smoothing = settings_.label_smoothing,
                              .record = is_recorded(number) ? &record_ : nullptr},
                             alone_);
    const double norm = global_norm(trainables.gradients);
    if (!std::isfinite(losses.task) || !std::isfinite(norm)) {
      const std::string where = first_not_finite(
          session_, batches, derive(static_cast<RandomKey>(settings_.seed), "forward"), number,
          alone_);
      stop_at(number,
              fmt::format("the loss is {} and the gradient norm is {}{}", text_of(losses.task),
                          text_of(norm),
                          where.empty() ? "" : "; non-finite numbers first occur in " + where));
    }
    if (LastGood::is_kept(trainables.count(), model_parameters_))
      last_good_.keep(cursor_, *session_.attachment, optimizer_);
    const double factor = schedule_.factor(cursor_.step);
    const double limit = settings_.clip.value_or(0);
    const double scale = limit > 0 ? clip_scale(norm, limit) : 1;
    optimizer_.step(factor, scale);
    for (const UpdateRule& rule : session_.attachment->update_rules)
      rule.after({.step = number, .total = total_, .gradient_scale = scale});

    // The first two steps are not timed, since they include allocations and lazy initialization.
    if (++steps_here_ > 2) {
      cursor_.timed_seconds += seconds_since(begin);
      cursor_.timed_tokens += losses.tokens;
      ++timed_steps_;
      timed_here_ += seconds_since(begin);
    }
    StepReport out{
        .step = number, .total_steps = total_, .loss = losses.task, .auxiliary = losses.auxiliary};
    out.learning_rate = settings_.learning_rate * factor;
    out.gradient_norm = norm;
    out.sequences = losses.sequences;
    out.tokens = losses.tokens;
    out.tokens_per_second = tokens_per_second();
    if (timed_steps_ > 0)
      out.seconds_left =
          timed_here_ / static_cast<double>(timed_steps_) * static_cast<double>(total_ - number);
    if (is_recorded(number)) out.routing = routing_line(record_);
    return out;
  }

  void log_step(const StepReport& r) {
    folder_.event(step_event(r));
    if (is_recorded(r.step)) {
      log_routing("train", record_);
      if (!is_evaluated()) folder_.write_routing(record_);
    }
    callback_.on_step(r);
  }

  bool is_recorded(int64_t step) const {
    return step % std::max<int64_t>(1, total_ / kRecordedSteps) == 0 || step == total_;
  }

  void log_routing(const char* phase, const RoutingRecord& record) {
    const Json event = routing_event(record, cursor_.step, phase);
    if (!event.empty()) folder_.event(event);
  }

  bool is_evaluated() const {
    return !session_.evaluation.empty() && evaluate_every_.kind != Interval::Kind::never;
  }

  bool is_better(double value, double than) const {
    return session_.task->smaller_is_better() ? value < than : value > than;
  }

  // Returns whether this evaluation is the best so far.
  bool evaluate(double epoch) {
    if (session_.evaluation.empty()) return false;
    EvaluationReport report{.step = cursor_.step, .epoch = epoch};
    report.main_metric = session_.task->main_metric();
    RoutingRecord record;
    std::vector<MetricValue> metrics;
    for (const EncodedSet& set : session_.evaluation) {
      SetReport one = evaluate_set(session_, set, {.record = &record}).report;
      metrics.insert(metrics.end(), one.metrics.begin(), one.metrics.end());
      report.sets.push_back(std::move(one));
    }
    for (const MetricValue& m : report.sets.front().metrics)
      if (m.name == report.main_metric) report.main_value = m.value;
    // An accuracy can be computed even from nan logits, so the loss must be finite too.
    report.is_best = !std::isnan(report.main_value) && std::isfinite(report.sets.front().loss) &&
                     (!cursor_.best_value || is_better(report.main_value, *cursor_.best_value));
    if (report.is_best || !cursor_.best_value) {
      cursor_.best_metrics = metrics;
      cursor_.best_loss = report.sets.front().loss;
    }
    if (report.is_best) {
      cursor_.best_value = report.main_value;
      cursor_.best_step = cursor_.step;
      cursor_.evaluations_without_best = 0;
    } else {
      ++cursor_.evaluations_without_best;
      cursor_.stopped_early =
          settings_.early_stopping && cursor_.evaluations_without_best >= *settings_.early_stopping;
    }
    folder_.event(evaluation_event(report));
    log_routing("evaluate", record);
    folder_.write_routing(record);
    callback_.on_evaluation(report);
    if (const std::string line = routing_line(record); !line.empty()) callback_.on_message(line);
    if (cursor_.stopped_early && cursor_.step < total_)
      callback_.on_message(
          fmt::format("stopped early: {} consecutive evaluations without a new best",
                      cursor_.evaluations_without_best));
    return report.is_best;
  }

  void save() {
    if (saved_step_ == cursor_.step) return;
    if (!session_.attachment->trainables.values.isfinite().all().item<bool>())
      stop_at(cursor_.step, "some parameters are not finite after the update");
    cursor_.seconds = seconds();
    const fs::path written = checkpoints_.save(cursor_, *session_.attachment, optimizer_);
    checkpoints_.retain(settings_.keep, cursor_.best_step);
    saved_step_ = cursor_.step;
    folder_.event({{"event", "checkpoint"}, {"step", cursor_.step}});
    callback_.on_checkpoint(written, cursor_.step);
  }

  [[noreturn]] void stop_at(int64_t number, const std::string& found) {
    throw UserError(
        "step " + std::to_string(number), found + "; expected finite numbers",
        "Lower train.learning_rate, raise train.warmup or set train.clip" + save_last_good());
  }

  // Called if the current state leads to numbers that are not finite. Saves the last state from
  // which a step was finite as a checkpoint, and returns the end of the error message, which tells
  // how to continue.
  std::string save_last_good() {
    const int64_t failed = cursor_.step;
    if (failed == 0) return ".";  // the first step: nothing was trained, the folder is removed
    // A checkpoint of the current state must not be used for resuming.
    checkpoints_.set_aside(failed);
    if (last_good_.is_known()) {
      const double until_now = seconds();
      cursor_ = last_good_.restore(*session_.attachment, optimizer_);
      if (cursor_.step > 0) {
        cursor_.seconds = until_now;
        checkpoints_.save(cursor_, *session_.attachment, optimizer_);
      }
    }
    const std::optional<int64_t> from = checkpoints_.last_complete();
    folder_.event({{"event", "not_finite"}, {"step", from.value_or(0)}, {"reached", failed}});
    return fmt::format(
        " in {}; 'mixtune resume {} --allow-changed' then continues from {}.",
        (folder_.path() / "config.yaml").string(), folder_.path().string(),
        from ? fmt::format("the checkpoint of step {}", *from) : std::string("the start"));
  }

  RunResult interrupted() {
    RunResult out = result();
    out.interrupted = true;
    if (cursor_.step == 0) {  // there is nothing to resume, so no folder is kept
      callback_.on_message("interrupted before the first step; nothing was saved");
      out.folder.clear();
      return out;
    }
    save();
    folder_.event({{"event", "interrupted"}, {"step", cursor_.step}});
    callback_.on_message(fmt::format("interrupted at step {} of {}; resume with: mixtune resume {}",
                                     cursor_.step, total_, folder_.path().string()));
    return out;
  }

  RunResult finish() {
    folder_.keep();
    NamedTensors tensors =
        cursor_.best_step > 0
            ? read_tensors(checkpoints_.at(cursor_.best_step) / "adapter.safetensors")
            : session_.attachment->state();
    save_adapter(folder_.path() / "adapter", adapter_of(session_, std::move(tensors)));
    const RunResult out = result();
    folder_.write_result(out);
    folder_.event({{"event", "end"}, {"step", cursor_.step}, {"seconds", out.seconds}});
    return out;
  }

  RunResult result() const {
    return {.folder = folder_.path(),
            .task = session_.config.task.name,
            .method = method_title(session_.config.method),
            .seed = settings_.seed,
            .steps = cursor_.step,
            .best_step = cursor_.best_step,
            .metrics = cursor_.best_metrics,
            .evaluation_loss = cursor_.best_loss,
            .trainable_parameters = session_.attachment->trainables.count(),
            .peak_memory_bytes = peak_memory(),
            .tokens_per_second = tokens_per_second(),
            .seconds = seconds(),
            .stopped_early = cursor_.stopped_early};
  }

  double seconds() const { return seconds_before_ + seconds_since(start_); }
  double tokens_per_second() const {
    return cursor_.timed_seconds > 0
               ? static_cast<double>(cursor_.timed_tokens) / cursor_.timed_seconds
               : 0;
  }

  Session& session_;
  const TrainSettings& settings_;
  RunFolder& folder_;
  LoggingCallback& callback_;
  const std::atomic<bool>* interrupt_;
  const Clock::time_point start_;
  BatchPlan plan_;
  int64_t total_;
  Schedule schedule_;
  AdamW optimizer_;
  Checkpoints checkpoints_;
  Interval evaluate_every_, save_every_;
  Reducer alone_;
  Cursor cursor_;
  LastGood last_good_;
  RoutingRecord record_;  // of the last step whose routing was recorded
  int64_t model_parameters_;
  int64_t saved_step_ = -1, steps_here_ = 0, timed_steps_ = 0;
  double seconds_before_ = 0, timed_here_ = 0;
};

Training::Training(Session& session, RunFolder& folder, LoggingCallback& callback,
                   const std::atomic<bool>* interrupt, Clock::time_point start)
    : loop_(std::make_unique<TrainingLoop>(session, folder, callback, interrupt, start)) {}

Training::~Training() = default;

void Training::go_back_to(int64_t step, const Cursor& cursor) {
  loop_->go_back_to(step, cursor);
}

int64_t Training::total() const {
  return loop_->total();
}

RunResult Training::run() {
  return loop_->run();
}

}  // namespace mixtune
