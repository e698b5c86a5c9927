// LoRAMoE (Dou et al. 2023, arXiv 2312.09979): LoRA experts on the linears of feed-forwards, all of
// them mixed by the router's probabilities; localized balancing assigns one half of the experts to
// each of two example groups. Defaults follow the authors' script (Ablustrund/LoRAMoE@1177288),
// where that loss is off. One difference: linears that read the same x share one dropout mask
// (`dropout_mask: expert` restores one per expert).
#include "methods/mixture.h"

namespace mixtune {
namespace {

struct LoramoeConfig final : ExpertsConfig {
  double balance = 0, delta = 0;

  LoramoeConfig() {
    experts = "8";
    rank = "4";
    alpha = 32;
    dropout = 0.05;
  }

  void fields(FieldVisitor& v) override {
    ExpertsConfig::fields(v);
    v.field("balance", balance,
            "Weight of the localized balancing loss, for examples with an example group; 0: off.",
            {.minimum = 0});
    v.field("delta", delta,
            "Strength of the separation between the experts of the two example groups.",
            {.minimum = 0, .below = 1});
  }
};

std::unique_ptr<MixtureConfig> loramoe_mixture(const Config& config) {
  const auto& c = dynamic_cast<const LoramoeConfig&>(config);
  auto out = std::make_unique<MixtureConfig>(c);
  out->selection = part(selection_choices(), "all");
  if (c.balance > 0) {
    Choice& loss = out->losses.emplace_back(weighted_loss("variation", c.balance));
    set(loss, "delta", c.delta);
  }
  return out;
}

}  // namespace

void register_loramoe(Registry<MethodEntry>& registry) {
  registry.add({"loramoe", "arXiv 2312.09979",
                "LoRA experts, all of them mixed; each half can serve one of two example groups.",
                [] { return std::make_unique<LoramoeConfig>(); },
                [](const Config& config, const StackShape& shape) {
                  return loramoe_mixture(config)->specs(shape, "loramoe");
                },
                loramoe_mixture});
}

}  // namespace mixtune
