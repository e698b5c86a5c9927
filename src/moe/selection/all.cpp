// Selects every expert (soft routing, as in LoRAMoE).
#include "moe/selection/selection.h"

namespace mixtune {
namespace {

struct AllConfig final : Config {
  void fields(FieldVisitor&) override {}
};

class All final : public Selection {
 public:
  Tensor mask(const Tensor& probabilities) const override {
    return at::ones_like(probabilities.detach());
  }
};

}  // namespace

void register_all(Registry<SelectionEntry>& registry) {
  registry.add({"all", "All experts.", [] { return std::make_unique<AllConfig>(); },
                [](const Config&) { return std::make_unique<All>(); }});
}

}  // namespace mixtune
