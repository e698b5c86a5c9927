#include "train/step.h"

namespace mixtune {

StepLosses accumulate_gradients(Session& session, const StepBatches& batches,
                                const StepOptions& options, Reducer& reducer) {
  Attachment& attachment = *session.attachment;
  const TaskObjective& objective = *session.objective;
  const std::vector<EncodedExample>& examples = session.train.examples;
  StepLosses out;
  for (const MicroBatch& batch : batches) {
    out.sequences += static_cast<int64_t>(batch.size());
    for (const int64_t i : batch) out.units += objective.units(examples[static_cast<size_t>(i)]);
  }
  MIXTUNE_CHECK(out.units > 0, "a step needs at least one supervised unit");

  attachment.trainables.zero_gradients();
  Tensor task = at::zeros({}, at::TensorOptions(at::kDouble).device(session.device));
  std::vector<std::pair<std::string, Tensor>> auxiliary;
  const double share = 1.0 / static_cast<double>(batches.size());
  for (const MicroBatch& indices : batches) {
    ForwardContext context(Phase::train, options.seed, options.step, reducer);
    context.loss_statistics = attachment.loss_statistics;
    context.loss_statistics.clear();
    context.record = options.record;
    const PackedBatch batch = pack_examples(session, examples, indices);
    out.tokens += batch.rows.tokens();
    const Tensor sum = objective.loss_sum(*session.model, batch, sequences_of(examples, indices),
                                          context, options.label_smoothing);
    Tensor loss = sum / static_cast<double>(out.units);
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
  out.task = task.item<double>() / static_cast<double>(out.units);
  for (const auto& [name, value] : auxiliary)
    out.auxiliary.emplace_back(name, value.item<double>());
  return out;
}

}  // namespace mixtune
