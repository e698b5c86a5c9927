// Legend: T tokens, S sequences, C outputs of the head, D width.
#include "cli/random_tokens.h"

#include <algorithm>

#include "tensor/random.h"

namespace mixtune {
namespace {

constexpr int64_t kSequences = 3, kLongest = 48;

}  // namespace

PackedBatch random_tokens(const Model& model, const at::Device& device) {
  std::vector<std::vector<int32_t>> ids;
  for (int64_t s = 0; s < kSequences; ++s) {
    const int64_t length = std::min(model.max_length(), kLongest - 7 * s);
    const RandomKey key = derive(derive(RandomKey(0), "drawn tokens"), static_cast<uint64_t>(s));
    std::vector<int32_t>& sequence = ids.emplace_back();
    for (int64_t t = 0; t < length; ++t)
      sequence.push_back(static_cast<int32_t>(random_integer(
          key, static_cast<uint64_t>(t), static_cast<uint64_t>(model.config().vocab_size))));
  }
  std::vector<SequenceView> views;
  for (const auto& sequence : ids)
    views.push_back({sequence.data(), nullptr, static_cast<int64_t>(sequence.size()),
                     static_cast<int64_t>(views.size())});
  return pack(views, device);
}

Tensor answers(Model& model, const PackedBatch& batch, const Attachment* attachment) {
  const at::NoGradGuard no_grad;
  Reducer alone;
  ForwardContext context(Phase::evaluate, 0, 0, alone);
  if (attachment) {
    context.loss_statistics = attachment->loss_statistics;
    context.loss_statistics.clear();
  }
  return model.labels() > 0 ? model.logits(batch, context)              // [T or S, C]
                            : model.last_hidden_state(batch, context);  // [T, D]
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace mixtune
