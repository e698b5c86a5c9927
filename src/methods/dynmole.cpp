// DynMoLE (Li et al. 2025, arXiv 2504.00661): LoRA experts on linears, with one router per linear.
// A token uses the most probable experts within a probability budget, at least keep_top_k; if the
// normalized Tsallis entropy of its routing probabilities exceeds a threshold, it uses all experts.
// Losses: mean entropy and soft load balancing. Defaults follow the first author's code
// (mikecovlee/DynMoLE@2f428d3, LLaMA template). Differences: linears that read the same x share one
// dropout mask (`dropout_mask: expert` restores one per expert), dropout is off in evaluation, and
// padding is never counted because packed batches have none.
#include "methods/mixture.h"

namespace mixtune {
namespace {

struct DynmoleConfig final : ExpertsConfig {
  double top_p = 0.75, threshold = 0.9, index = 1.1, eps = 1e-5;
  int64_t keep_top_k = 2;
  std::string rule = "strict_top_p", entropy = "tsallis", load = "weight", over = "pooled",
              tokens = "all";
  bool normalized = true, renormalize = false;
  double entropy_loss = 0.01, balance = 0.001;

  DynmoleConfig() {
    experts = "6";
    rank = "24";
    alpha = 48;
    dropout = 0.05;
  }

  void fields(FieldVisitor& v) override {
    ExpertsConfig::fields(v);
    v.field("top_p", top_p, "Probability budget of the experts selected per token; 1: all experts.",
            {.maximum = 1, .above = 0});
    v.field("keep_top_k", keep_top_k, "Minimum number of experts per token.",
            {.minimum = 1, .maximum = 4096});
    v.field("selection", rule,
            "strict_top_p: excludes the expert that crosses top_p (as in the authors' code); "
            "top_p: includes it.",
            {.choices = {"strict_top_p", "top_p"}});
    v.field("entropy_threshold", threshold,
            "A token uses all experts if its routing entropy exceeds this value; 1 with normalized "
            "entropies: off.",
            {.maximum = 100, .above = 0});
    v.field("entropy_type", entropy,
            "Entropy function of the entropy switch and of the entropy loss.",
            {.choices = {"tsallis", "renyi", "shannon"}});
    v.field(
        "entropy_index", index,
        "Index of tsallis (q) or renyi: 1, or at least 0.01 away from 1 unless entropy_eps is 0.",
        {.maximum = 2, .above = 0});
    v.field("entropy_eps", eps, "Constant added to every probability.",
            {.minimum = 0, .maximum = 0.1});
    v.field("normalize_entropy", normalized, "Divide entropies by their maximum.");
    v.field("renormalize", renormalize,
            "Rescale the weights of a token's selected experts to sum to 1.");
    v.field("entropy_loss", entropy_loss,
            "Weight of the entropy loss (mean routing entropy); 0: off.", {.minimum = 0});
    v.field("balance", balance, "Weight of the load-balancing loss; 0: off.", {.minimum = 0});
    v.field("load", load,
            "Load of an expert: weight (its mean weight, as in the authors' code), selected "
            "(fraction of tokens that use it) or share (that fraction divided by the mean number "
            "of experts per token).",
            {.choices = {"weight", "selected", "share"}});
    v.field("reduction", over,
            "Reduction over routers: pooled (one loss over all routers, as in the authors' code), "
            "layer_mean (mean over layers) or mean (mean over routers).",
            {.choices = {"pooled", "layer_mean", "mean"}});
    v.field("tokens", tokens,
            "Tokens that enter the losses: all, or supervised (those after the prompt).",
            {.choices = {"all", "supervised"}});
  }

  std::optional<FieldProblem> check() const override {
    if (normalized && threshold > 1)
      return FieldProblem{"entropy_threshold", "above 0 and at most 1 (entropies are normalized)",
                          "Lower it; 1 switches it off."};
    return std::nullopt;
  }
};

std::unique_ptr<MixtureConfig> dynmole_mixture(const Config& config) {
  const auto& c = dynamic_cast<const DynmoleConfig&>(config);
  auto out = std::make_unique<MixtureConfig>(c);
  out->selection = part(selection_choices(), c.rule);
  set(out->selection, "p", c.top_p);
  set(out->selection, "keep_top_k", std::to_string(c.keep_top_k));
  out->entropy_switch.threshold = c.threshold;
  out->entropy_switch.entropy = c.entropy;
  out->entropy_switch.index = c.index;
  out->entropy_switch.eps = c.eps;
  out->entropy_switch.normalized = c.normalized;
  out->renormalize = c.renormalize;
  const auto add = [&](const std::string& name, double weight) -> Choice& {
    Choice& loss = out->losses.emplace_back(weighted_loss(name, weight));
    set(loss, "reduction", c.over);
    set(loss, "tokens", c.tokens);
    return loss;
  };
  if (c.entropy_loss > 0) {
    Choice& loss = add("entropy", c.entropy_loss);
    set(loss, "type", c.entropy);
    set(loss, "index", c.index);
    set(loss, "eps", c.eps);
    set(loss, "normalize", c.normalized ? "true" : "false");
  }
  if (c.balance > 0) set(add("load", c.balance), "count", c.load);
  return out;
}

}  // namespace

void register_dynmole(Registry<MethodEntry>& registry) {
  registry.add({"dynmole", "arXiv 2504.00661",
                "LoRA experts selected per token: top-p when routing entropy is low, all experts "
                "when it is high.",
                [] { return std::make_unique<DynmoleConfig>(); },
                [](const Config& config, const StackShape& shape) {
                  return dynmole_mixture(config)->specs(shape, "dynmole");
                },
                dynmole_mixture});
}

}  // namespace mixtune
