#include "moe/attachment.h"

namespace mixtune {

void Attachment::train(Tensor* tensor, const std::string& name, const std::string& group,
                       bool decays) {
  trainables.add(tensor, {{name, group, tensor->sizes().vec(), decays}});
}

void Attachment::freeze(Tensor* tensor, const std::string& name) {
  buffers.push_back({name, tensor});
}

void Attachment::note(std::string site, std::string what, int64_t parameters) {
  table.push_back({std::move(site), std::move(what), parameters});
}

std::vector<std::pair<std::string, Tensor>> Attachment::auxiliary(
    const ForwardContext& context) const {
  std::vector<std::pair<std::string, Tensor>> out;
  for (const AuxiliaryLoss& loss : losses)
    out.emplace_back(loss.name, loss.finalize(context.loss_statistics, context.reducer));
  return out;
}

Tensor Attachment::auxiliary_sum(const ForwardContext& context) const {
  Tensor sum;
  for (const AuxiliaryLoss& loss : losses) {
    const Tensor term = loss.weight * loss.finalize(context.loss_statistics, context.reducer);
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

std::vector<std::pair<std::string, Tensor>> Attachment::state() const {
  std::vector<std::pair<std::string, Tensor>> out;
  for (const Segment& segment : trainables.segments())
    out.emplace_back(segment.name, trainables.value_of(segment));
  for (const FrozenBuffer& buffer : buffers) out.emplace_back(buffer.name, buffer.tensor->detach());
  return out;
}

}  // namespace mixtune
