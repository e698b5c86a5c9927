#include "methods/method.h"

namespace mixtune {
namespace {

class MethodChoices final : public ChoiceTable {
 public:
  explicit MethodChoices(bool inner) : inner_(inner) {}
  std::vector<std::string> names() const override {
    std::vector<std::string> out;
    for (const MethodEntry& entry : methods().entries())
      if (!inner_ || entry.name != "molex") out.push_back(entry.name);
    return out;
  }
  std::unique_ptr<Config> make(const std::string& name) const override {
    return methods().get(name, "method.name", "method").config();
  }

 private:
  bool inner_;
};

// Adds the leaves of the head (and of the pooler if requested) that no spec trains yet.
void train_parts(Sites& sites, const AttachOptions& options, Attachment& attachment) {
  std::map<Tensor*, std::vector<Segment>> leaves;
  std::vector<Tensor*> order;
  for (const WeightSlot& slot : sites.weights) {
    const bool trains = (slot.part == WeightPart::head && options.train_head) ||
                        (slot.part == WeightPart::pooler && options.train_pooler);
    if (!trains || attachment.trainables.contains(slot.storage)) continue;
    if (leaves.find(slot.storage) == leaves.end()) order.push_back(slot.storage);
    const Tensor view = slot.view();
    leaves[slot.storage].push_back(
        {slot.name, "head", view.sizes().vec(), slot.kind == WeightKind::matrix});
    attachment.note(slot.name, "trained head", view.numel());
  }
  for (Tensor* storage : order) attachment.trainables.add(storage, leaves[storage]);
}

}  // namespace

const ChoiceTable& method_choices() {
  static const MethodChoices choices(false);
  return choices;
}

const ChoiceTable& inner_method_choices() {
  static const MethodChoices choices(true);
  return choices;
}

std::vector<AdapterSpec> specs_of(const Choice& method, const StackShape& shape) {
  MIXTUNE_CHECK(method.config != nullptr, "a method without a config");
  return methods().get(method.name, "method.name", "method").specs(*method.config, shape);
}

std::unique_ptr<Attachment> attach(const std::vector<AdapterSpec>& specs, Sites& sites,
                                   const AttachOptions& options) {
  auto attachment = std::make_unique<Attachment>();
  attachment->seed = derive(options.seed, "initialisation");
  for (const AdapterSpec& spec : specs) spec.adapter->attach(spec, sites, *attachment);
  train_parts(sites, options, *attachment);
  attachment->trainables.build();
  return attachment;
}

}  // namespace mixtune
