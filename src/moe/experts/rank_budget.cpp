#include "moe/experts/rank_budget.h"

#include <cmath>

namespace mixtune {
namespace {

const Segment& segment_of(const Trainables& trainables, const std::string& name) {
  const Segment* found = trainables.find(name);
  MIXTUNE_CHECK(found != nullptr, "no segment " + name);
  return *found;
}

}  // namespace

int64_t ranks_at(const RankBudgetSettings& settings, int64_t step, int64_t total, int64_t ranks,
                 int64_t target) {
  const int64_t last = total - settings.final_steps;
  if (step <= settings.initial_steps) return ranks;
  if (step >= last) return target;
  const double left = 1 - static_cast<double>(step - settings.initial_steps) /
                              static_cast<double>(last - settings.initial_steps);
  return static_cast<int64_t>(static_cast<double>(ranks - target) * std::pow(left, 3) +
                              static_cast<double>(target));
}

void RankBudget::add(const std::string& down, const std::string& gain, const std::string& up,
                     int64_t rank, int64_t in, int64_t out) {
  const int64_t begin = elements_;
  updates_.push_back({.down = {down, begin, rank * in},
                      .gain = {gain, begin + rank * in, rank},
                      .up = {up, begin + rank * (in + 1), rank * out},
                      .first = ranks_,
                      .rank = rank});
  elements_ += rank * (in + 1 + out);
  ranks_ += rank;
}

void RankBudget::attach(const std::shared_ptr<RankBudget>& self, const at::TensorOptions& options,
                        Attachment& attachment) {
  self->importance_ = at::zeros({self->elements_}, options);
  self->spread_ = at::zeros({self->elements_}, options);
  self->kept_ = at::ones({self->ranks_}, options);
  attachment.training_buffers.push_back({self->method_ + ".importance", &self->importance_});
  attachment.training_buffers.push_back({self->method_ + ".spread", &self->spread_});
  attachment.training_buffers.push_back({self->method_ + ".kept", &self->kept_});
  attachment.update_rules.push_back(
      {.check = [self](int64_t total) { self->check(total); },
       .after = [self, &trainables = attachment.trainables](
                    const Update& update) { self->after(trainables, update); }});
}

void RankBudget::check(int64_t total) const {
  if (settings_.initial_steps < total - settings_.final_steps) return;
  throw UserError(method_ + ".tinit",
                  "is " + std::to_string(settings_.initial_steps) + " and tfinal is " +
                      std::to_string(settings_.final_steps) + "; the run has " +
                      std::to_string(total) + " steps, and the ranks shrink between them",
                  "Lower one of them, or train longer.");
}

void RankBudget::after(const Trainables& trainables, const Update& update) {
  const at::NoGradGuard no_grad;
  const int64_t last = update.total - settings_.final_steps;
  if (update.step > last) return clear(trainables);
  if (update.step < last) accumulate(trainables, update);
  const bool cuts = update.step == last ||
                    (update.step > settings_.initial_steps && update.step % settings_.every == 0);
  if (cuts)
    choose(trainables, ranks_at(settings_, update.step, update.total, ranks_,
                                settings_.target * static_cast<int64_t>(updates_.size())));
}

// Updates the running mean of |value * gradient| and the running mean of its distance from that
// mean.
void RankBudget::accumulate(const Trainables& trainables, const Update& update) {
  for (const LowRankUpdate& one : updates_)
    for (const Part* part : {&one.down, &one.gain, &one.up}) {
      const Segment& segment = segment_of(trainables, part->name);
      const Tensor now = (trainables.value_of(segment) * trainables.gradient_of(segment))
                             .mul_(update.gradient_scale)
                             .abs_()
                             .reshape({-1});
      Tensor mean = importance_.narrow(0, part->begin, part->count);
      Tensor spread = spread_.narrow(0, part->begin, part->count);
      mean.mul_(settings_.beta1).add_(now, 1 - settings_.beta1);
      spread.mul_(settings_.beta2).add_((now - mean).abs_(), 1 - settings_.beta2);
    }
}

Tensor RankBudget::score_of(const Part& part, at::IntArrayRef shape) const {
  return (importance_.narrow(0, part.begin, part.count) * spread_.narrow(0, part.begin, part.count))
      .view(shape);
}

void RankBudget::choose(const Trainables& trainables, int64_t ranks) {
  if (ranks >= ranks_) return;
  std::vector<Tensor> scores;
  for (const LowRankUpdate& update : updates_)
    scores.push_back(score_of(update.gain, {update.rank}) +
                     (score_of(update.down, {update.rank, -1}).mean(1) +
                      score_of(update.up, {-1, update.rank}).mean(0)));
  const Tensor all = at::cat(scores, 0);  // [ranks]
  const Tensor limit = std::get<0>(at::kthvalue(all, ranks_ - ranks));
  kept_.copy_(all > limit);
  clear(trainables);
}

void RankBudget::clear(const Trainables& trainables) const {
  for (const LowRankUpdate& update : updates_) {
    Tensor gain = trainables.value_of(segment_of(trainables, update.gain.name));  // [rank, 1]
    gain.masked_fill_((kept_.narrow(0, update.first, update.rank) == 0).unsqueeze(1), 0);
  }
}

}  // namespace mixtune
