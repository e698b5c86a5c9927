// MoLA (Gao et al. 2024, arXiv 2402.08562): LoRA experts on linears, a router for each, top-k with
// weights that sum to one; the number of experts differs by layer. Defaults are those of the
// published code (GCYZSL/MoLA@01785c8): 2, 4, 6, 8 experts of rank 8 from the lowest to the highest
// quarter of the layers, on all linears, without balance loss. Differs from it: dropout has one
// mask for the linears that read the same x (`dropout_mask: expert` goes back), and its balance
// loss counts no padding.
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
    v.field("top_k", top_k, "Experts for each token: a number, or a list of one for each layer.",
            {.check = numbers_expected});
    v.field("renormalize", renormalize, "The weights of a token's experts sum to one.");
    v.field("balance", balance, "Weight of the balance loss (published: 0.001 where on); 0: off.",
            {.minimum = 0});
    v.field("form", form,
            "original: sum over layers of E sum f_i P_i, f summing to one (1 in balance); pooled: "
            "all layers together, f the share of tokens that chose i (top_k in balance; MoE-PEFT).",
            {.choices = {"original", "pooled"}});
    v.field("tokens", tokens, "Which tokens the loss counts: all, or those after the prompt.",
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
                "LoRA experts whose number differs by layer; each token uses the top k.",
                [] { return std::make_unique<MolaConfig>(); },
                [](const Config& config, const StackShape& shape) {
                  return mola_mixture(config)->specs(shape, "mola");
                },
                mola_mixture});
}

}  // namespace mixtune
