// The model's own weights, trained in place: all of them (full fine-tuning) or the biases (BitFit).
// The caller trains the head, whatever the method is.
#include "moe/experts/adapters.h"

namespace mixtune {
namespace {

bool is_chosen(const WeightSlot& slot, BaseWeights::Which which) {
  if (slot.part != WeightPart::backbone) return false;
  if (which == BaseWeights::Which::all) return true;
  // BitFit trains every bias of the encoder, including those of the norms.
  return slot.name.ends_with(".bias");
}

}  // namespace

void BaseWeights::attach(const AdapterSpec&, Sites& sites, Attachment& attachment) const {
  // Slots of one storage (query, key, value) become one leaf.
  std::map<Tensor*, std::vector<Segment>> leaves;
  std::vector<Tensor*> order;
  for (const WeightSlot& slot : sites.weights) {
    if (!is_chosen(slot, which)) continue;
    if (leaves.find(slot.storage) == leaves.end()) order.push_back(slot.storage);
    const Tensor view = slot.storage->narrow(0, slot.begin, slot.end - slot.begin);
    leaves[slot.storage].push_back(
        {slot.name, "base", view.sizes().vec(),
         slot.kind == WeightKind::matrix || slot.kind == WeightKind::embedding});
    attachment.note(slot.name, "trained", view.numel());
  }
  if (order.empty())
    throw UserError("method", "bitfit trains biases; this model has none",
                    "Choose another method, such as lora.");
  for (Tensor* storage : order) attachment.trainables.add(storage, leaves[storage]);
}

}  // namespace mixtune
