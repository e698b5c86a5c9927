// BitFit (Ben Zaken et al. 2022, arXiv 2106.10199): only the biases of the encoder are trained,
// those of the norms included, and the head.
#include "methods/method.h"
#include "moe/bank/banks.h"

namespace mixtune {
namespace {

struct BitfitConfig final : Config {
  void fields(FieldVisitor&) override {}
};

std::vector<Sentence> bitfit_sentences(const Config&, int64_t) {
  auto bank = std::make_shared<BaseWeightBank>();
  bank->which = BaseWeightBank::Which::biases;
  return {{.sites = {}, .bank = bank}};
}

}  // namespace

void register_bitfit(Registry<MethodEntry>& registry) {
  registry.add({"bitfit", "arXiv 2106.10199", "Only biases are trained.",
                [] { return std::make_unique<BitfitConfig>(); }, bitfit_sentences});
}

}  // namespace mixtune
