// DoRA (Liu et al. 2024, arXiv 2402.09353): LoRA's update changes the direction of each row of a
// weight, a trained magnitude its length: m (W + s B A) / |W + s B A| x, the norm over each output
// row. m starts at the row norms of W. The norm is a constant of the backward pass (section 4.3 of
// the paper, as in PEFT). Differs from PEFT with dropout alone: there the part of W that m rescales
// sees the dropped x too, here only the update does.
#include "methods/low_rank_config.h"
#include "methods/method.h"

namespace mixtune {
namespace {

std::vector<AdapterSpec> dora_specs(const Config& config, int64_t) {
  const auto& c = dynamic_cast<const LowRankConfig&>(config);
  auto adapter = c.adapter("dora");
  adapter->magnitude = true;
  return {{.sites = {c.targets, c.layers, c.exclude}, .adapter = adapter}};
}

}  // namespace

void register_dora(Registry<MethodEntry>& registry) {
  registry.add({"dora", "arXiv 2402.09353", "Low-rank updates with trained magnitudes of rows.",
                [] { return std::make_unique<LowRankConfig>(); }, dora_specs});
}

}  // namespace mixtune
