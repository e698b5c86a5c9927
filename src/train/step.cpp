// Legend: S sequences of a micro-batch, C outputs of the head.
#include "train/step.h"

#include "train/evaluate.h"
#include "train/loss.h"

namespace molt {
namespace {

Tensor loss_sum(const Tensor& logits, const Tensor& targets, bool is_regression, double smoothing) {
  return is_regression ? squared_error_sum(logits.select(1, 0), targets)
                       : cross_entropy_sum(logits, targets, smoothing);
}

}  // namespace

StepLosses accumulate_gradients(Session& session, const StepBatches& batches,
                                const StepOptions& options, Reducer& reducer) {
  Attachment& attachment = *session.attachment;
  const bool is_regression = session.task->is_regression();
  const std::vector<EncodedExample>& examples = session.train.examples;
  StepLosses out;
  for (const MicroBatch& batch : batches) out.sequences += static_cast<int64_t>(batch.size());

  attachment.trainables.zero_gradients();
  Tensor task = at::zeros({}, at::TensorOptions(at::kDouble).device(session.device));
  std::vector<std::pair<std::string, Tensor>> auxiliary;
  const double share = 1.0 / static_cast<double>(batches.size());
  for (const MicroBatch& indices : batches) {
    ForwardContext context(Phase::train, options.seed, options.step, reducer);
    context.measures = attachment.measures;
    context.measures.clear();
    const PackedBatch batch = pack_examples(session, examples, indices);
    out.tokens += batch.rows.tokens();
    const Targets targets = targets_of(examples, indices, is_regression);
    const Tensor logits = session.model->logits(batch, context);  // [S, C]
    const Tensor sum =
        loss_sum(logits, targets.values.to(session.device), is_regression, options.label_smoothing);
    Tensor loss = sum / static_cast<double>(out.sequences);
    if (const Tensor weighted = attachment.auxiliary_sum(context); weighted.defined())
      loss = loss + weighted * share;
    torch::autograd::backward({loss}, {});

    task += sum.detach().to(at::kDouble);
    const at::NoGradGuard no_grad;
    for (auto& [name, value] : attachment.auxiliary(context)) {
      const Tensor part = value.detach().to(at::kDouble) * share;
      if (auxiliary.size() < attachment.losses.size())
        auxiliary.emplace_back(name, part);
      else
        for (auto& [known, total] : auxiliary)
          if (known == name) total = total + part;
    }
  }
  out.task = task.item<double>() / static_cast<double>(out.sequences);
  for (const auto& [name, value] : auxiliary)
    out.auxiliary.emplace_back(name, value.item<double>());
  return out;
}

}  // namespace molt
