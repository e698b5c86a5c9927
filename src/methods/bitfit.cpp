// BitFit (Ben Zaken et al. 2022, arXiv 2106.10199): trains the head and the biases of the encoder,
// including those of the norms; all other weights stay frozen.
#include "methods/method.h"
#include "moe/experts/adapters.h"

namespace mixtune {
namespace {

struct BitfitConfig final : Config {
  void fields(FieldVisitor&) override {}
};

std::vector<AdapterSpec> bitfit_specs(const Config&, int64_t) {
  auto adapter = std::make_shared<BaseWeights>();
  adapter->which = BaseWeights::Which::biases;
  return {{.sites = {}, .adapter = adapter}};
}

}  // namespace

void register_bitfit(Registry<MethodEntry>& registry) {
  registry.add({"bitfit", "arXiv 2106.10199", "Only biases are trained.",
                [] { return std::make_unique<BitfitConfig>(); }, bitfit_specs});
}

}  // namespace mixtune
