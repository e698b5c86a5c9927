#include "models/packed_weights.h"

namespace mixtune {
namespace {

std::vector<LinearGroup*> groups_of(DecoderModel& model) {
  std::vector<LinearGroup*> out = model.sites().groups;
  if (LinearGroup* head = model.head_group()) out.push_back(head);
  return out;
}

}  // namespace

PackedWeights::PackedWeights(DecoderModel& model, int64_t space) : model_(model) {
  int64_t used = 0;
  const auto copy = [&](const Tensor& weight) -> std::unique_ptr<const PackedWeight> {
    if (used > space || !PackedWeight::takes(weight)) return nullptr;
    auto out = std::make_unique<const PackedWeight>(weight);
    used += out->bytes();
    return out;
  };
  for (LinearGroup* group : groups_of(model)) group->packed = copy(group->weight);
  if (model.head_group() == nullptr && model.is_language_model())
    model.packed_words = copy(model.language_head().weight);
  if (used > space) drop();  // a few fast products do not justify swapping
}

PackedWeights::~PackedWeights() {
  drop();
}

void PackedWeights::drop() {
  for (LinearGroup* group : groups_of(model_)) group->packed.reset();
  model_.packed_words.reset();
}

}  // namespace mixtune
