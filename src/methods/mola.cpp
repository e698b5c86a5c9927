// MoLA (Gao et al. 2024, arXiv 2402.08562): LoRA experts on linears with one router per linear and
// top-k routing with weights that sum to one; the number of experts differs by layer. Defaults
// follow the authors' code (GCYZSL/MoLA@01785c8): 2, 4, 6, 8 experts of rank 8 from the lowest to
// the highest quarter of the layers, on all linears, without balance loss. Differences: linears
// that read the same x share one dropout mask (`dropout_mask: expert` restores one per expert), and
// the balance loss counts no padding.
#include "methods/mixture.h"
#include "moe/by_layer.h"

namespace mixtune {
namespace {

struct MolaConfig final : ExpertsConfig {
  std::string top_k = "2";
  bool renormalize = true;
  double balance = 0;
  std::string form = "original", tokens = "all";

  MolaConfig() {
    targets = {"all-linear"};
    experts = "inverted_triangle";
    dropout = 0.05;
  }

  void fields(FieldVisitor& v) override {
    ExpertsConfig::fields(v);
    v.field("top_k", top_k, "Number of experts per token: a number, or a list with one per layer.",
            {.check = numbers_expected});
    v.field("renormalize", renormalize,
            "Rescale the weights of a token's selected experts to sum to 1.");
    v.field("balance", balance,
            "Weight of the load-balancing loss (authors' code: 0.001 if on); 0: off.",
            {.minimum = 0});
    v.field("form", form,
            "original: sum over layers of E sum f_i P_i, with f_i summing to 1 (value 1 if "
            "balanced); pooled: over all layers together, with f_i the fraction of tokens that "
            "selected expert i (value top_k if balanced), as in MoE-PEFT.",
            {.choices = {"original", "pooled"}});
    v.field("tokens", tokens,
            "Tokens that enter the loss: all, or supervised (those after the prompt).",
            {.choices = {"all", "supervised"}});
  }
};

std::unique_ptr<MixtureConfig> mola_mixture(const Config& config) {
  const auto& c = dynamic_cast<const MolaConfig&>(config);
  auto out = std::make_unique<MixtureConfig>(c);
  set(out->selection, "k", c.top_k);
  out->renormalize = c.renormalize;
  if (c.balance > 0) {
    Choice& loss = out->losses.emplace_back(weighted_loss("load", c.balance));
    set(loss, "count", c.form == "original" ? "share" : "selected");
    set(loss, "reduction", c.form == "original" ? "layer_sum" : "pooled");
    set(loss, "tokens", c.tokens);
  }
  return out;
}

}  // namespace

void register_mola(Registry<MethodEntry>& registry) {
  registry.add({"mola", "arXiv 2402.08562",
                "LoRA experts with top-k routing; the number of experts can differ by layer.",
                [] { return std::make_unique<MolaConfig>(); },
                [](const Config& config, const StackShape& shape) {
                  return mola_mixture(config)->specs(shape, "mola");
                },
                mola_mixture});
}

}  // namespace mixtune
