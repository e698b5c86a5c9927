// Full fine-tuning: every weight of the model is trained in place.
#include "methods/method.h"
#include "moe/experts/adapters.h"

namespace mixtune {
namespace {

struct FullConfig final : Config {
  void fields(FieldVisitor&) override {}
};

std::vector<AdapterSpec> full_specs(const Config&, int64_t) {
  return {{.sites = {}, .adapter = std::make_shared<BaseWeights>()}};
}

}  // namespace

void register_full(Registry<MethodEntry>& registry) {
  registry.add({"full", "", "Every weight of the model is trained.",
                [] { return std::make_unique<FullConfig>(); }, full_specs});
}

}  // namespace mixtune
