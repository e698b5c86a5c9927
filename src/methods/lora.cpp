// LoRA (Hu et al. 2021, arXiv 2106.09685): W x + (lora_alpha / r) B A x with B initialized to 0. As
// in PEFT, rsLoRA scales by lora_alpha / sqrt(r) (arXiv 2312.03732), LoRA+ trains B with a larger
// learning rate than A (arXiv 2402.12354), and B may have a bias. One difference from PEFT: linears
// that read the same x share one dropout mask.
#include "methods/low_rank_config.h"
#include "methods/method.h"

namespace mixtune {
namespace {

struct LoraConfig final : LowRankConfig {
  bool lora_bias = false;

  void fields(FieldVisitor& v) override {
    LowRankConfig::fields(v);
    v.field("lora_bias", lora_bias, "Add a bias to B, scaled like the update.");
  }
};

std::vector<AdapterSpec> lora_specs(const Config& config, int64_t) {
  const auto& c = dynamic_cast<const LoraConfig&>(config);
  auto adapter = c.adapter("lora");
  adapter->up_bias = c.lora_bias;
  return {{.sites = {c.targets, c.layers, c.exclude}, .adapter = adapter}};
}

}  // namespace

void register_lora(Registry<MethodEntry>& registry) {
  registry.add({"lora", "arXiv 2106.09685", "Low-rank updates of selected linear layers.",
                [] { return std::make_unique<LoraConfig>(); }, lora_specs});
}

}  // namespace mixtune
