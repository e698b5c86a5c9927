// DoRA (Liu et al. 2024, arXiv 2402.09353): LoRA's update changes the direction of each row of a
// weight and a trained magnitude changes its length: m (W + s B A) / |W + s B A| x, with the norm
// over each output row. m starts at the row norms of W. The backward pass treats the norm as a
// constant (section 4.3 of the paper, as in PEFT). The only difference from PEFT is dropout: PEFT
// also applies it to the part of W x that m rescales, here it applies to the update alone.
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
  registry.add({"dora", "arXiv 2402.09353",
                "Low-rank updates with a trained magnitude for each row of the weight.",
                [] { return std::make_unique<LowRankConfig>(); }, dora_specs});
}

}  // namespace mixtune
