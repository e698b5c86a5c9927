#include "train/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "moe/attachment.h"
#include "train/batches.h"
#include "train/loss.h"

namespace mixtune {
namespace {

// With train.evaluation_batch_size, batches of that many sequences in the order of the file, since
// routing with scope batch depends on the batch. Otherwise batches of similar lengths within a
// token budget.
std::vector<MicroBatch> evaluation_batches(const Session& session,
                                           const std::vector<EncodedExample>& examples,
                                           int64_t batch_tokens) {
  std::vector<int64_t> order(examples.size()), lengths;
  std::iota(order.begin(), order.end(), 0);
  if (const auto size = session.config.train.evaluation_batch_size) {
    std::vector<MicroBatch> out;
    for (size_t at = 0; at < order.size(); at += static_cast<size_t>(*size))
      out.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(at),
                       order.begin() + static_cast<std::ptrdiff_t>(std::min(
                                           order.size(), at + static_cast<size_t>(*size))));
    return out;
  }
  for (const EncodedExample& e : examples) lengths.push_back(static_cast<int64_t>(e.ids.size()));
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return lengths[a] < lengths[b]; });
  return cut_by_tokens(order, lengths, batch_tokens);
}

double auxiliary_of(const Attachment& attachment, ForwardContext& context) {
  double sum = 0;
  for (const AuxiliaryLoss& loss : attachment.losses)
    if (loss.in_evaluation)
      sum += loss.weight * loss.finalize(context.loss_statistics, context.reducer).item<double>();
  return sum;
}

}  // namespace

Tensor predict_logits(Session& session, const std::vector<EncodedExample>& examples,
                      const ForwardOptions& options) {
  const at::NoGradGuard no_grad;
  const auto count = static_cast<int64_t>(examples.size());
  Tensor out;  // [N, W]
  Reducer alone;
  for (const MicroBatch& batch : evaluation_batches(session, examples, options.batch_tokens)) {
    ForwardContext context(Phase::evaluate, static_cast<RandomKey>(session.config.train.seed), 0,
                           alone);
    context.loss_statistics = session.attachment->loss_statistics;
    context.loss_statistics.clear();
    context.record = options.record;
    const Tensor part =
        session.objective->outputs(*session.model, pack_examples(session, examples, batch),
                                   sequences_of(examples, batch), context);  // [S, W]
    if (!out.defined()) out = at::empty({count, part.size(1)}, part.options());
    out.index_copy_(0, at::tensor(batch), part);
    if (options.auxiliary)
      *options.auxiliary += auxiliary_of(*session.attachment, context) *
                            static_cast<double>(batch.size()) / static_cast<double>(count);
  }
  return out.defined() ? out : at::empty({0, 1}, at::kFloat);
}

Predictions predictions_of(const Tensor& logits, bool is_regression) {
  MIXTUNE_CHECK(logits.dim() == 2 && (!is_regression || logits.size(1) == 1), shape_text(logits));
  Predictions out;
  if (is_regression) {
    const Tensor scores = logits.select(1, 0).to(at::kDouble).contiguous();  // [N]
    out.scores.assign(scores.data_ptr<double>(), scores.data_ptr<double>() + scores.numel());
    return out;
  }
  const Tensor labels = logits.argmax(1).contiguous();  // [N]
  out.labels.assign(labels.data_ptr<int64_t>(), labels.data_ptr<int64_t>() + labels.numel());
  const Tensor probabilities = logits.to(at::kDouble).softmax(1);  // [N, C]
  const auto p = probabilities.accessor<double, 2>();
  for (int64_t n = 0; n < logits.size(0); ++n) {
    std::vector<LabelScore>& scores = out.label_scores.emplace_back();
    for (int64_t c = 0; c < logits.size(1); ++c) scores.push_back({c, p[n][c]});
  }
  return out;
}

Targets targets_of(const SequenceRefs& sequences, bool is_regression) {
  Targets out;
  if (is_regression) {
    std::vector<double> scores;
    for (const EncodedExample* e : sequences) {
      scores.push_back(e->score);
      out.labeled += !std::isnan(e->score);
    }
    out.values = at::tensor(scores, at::kFloat);
  } else {
    std::vector<int64_t> labels;
    for (const EncodedExample* e : sequences) {
      labels.push_back(e->label < 0 ? kIgnoredTarget : e->label);
      out.labeled += e->label >= 0;
    }
    out.values = at::tensor(labels, at::kLong);
  }
  return out;
}

double task_loss(const Tensor& logits, const std::vector<EncodedExample>& examples,
                 bool is_regression) {
  SequenceRefs all;
  for (const EncodedExample& example : examples) all.push_back(&example);
  const Targets targets = targets_of(all, is_regression);
  if (targets.labeled == 0) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  if (is_regression) {
    const Tensor errors = (logits.select(1, 0) - targets.values).to(at::kDouble).square();
    sum = at::nansum(errors).item<double>();
  } else {
    sum = cross_entropy_sum(logits.to(at::kDouble), targets.values).item<double>();
  }
  return sum / static_cast<double>(targets.labeled);
}

SetEvaluation evaluate_set(Session& session, const EncodedSet& set, const ForwardOptions& options) {
  MIXTUNE_CHECK(session.task && set.data, "evaluation needs a task");
  SetEvaluation out;
  double auxiliary = 0;
  ForwardOptions with_auxiliary = options;
  with_auxiliary.auxiliary = &auxiliary;
  out.logits = predict_logits(session, set.examples, with_auxiliary);
  out.predictions = session.task->combine(*set.data, set.examples,
                                          session.objective->predictions(out.logits, set.examples));
  out.report = {.set = set.data->name,
                .examples = static_cast<int64_t>(set.data->examples.size()),
                .loss = session.objective->mean_loss(out.logits, set.examples) + auxiliary,
                .metrics = session.task->metrics(*set.data, out.predictions)};
  return out;
}

}  // namespace mixtune
