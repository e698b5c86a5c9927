// Full fine-tuning: every weight of the model is trained where it stands.
#include "methods/method.h"
#include "moe/bank/banks.h"

namespace mixtune {
namespace {

struct FullConfig final : Config {
  void fields(FieldVisitor&) override {}
};

std::vector<Sentence> full_sentences(const Config&, int64_t) {
  return {{.sites = {}, .bank = std::make_shared<BaseWeightBank>()}};
}

}  // namespace

void register_full(Registry<MethodEntry>& registry) {
  registry.add({"full", "", "Every weight of the model is trained.",
                [] { return std::make_unique<FullConfig>(); }, full_sentences});
}

}  // namespace mixtune
