// DynMoLE (Li et al. 2025, arXiv 2504.00661): LoRA experts on linears, a router for each. A token
// uses the most probable experts within a budget of probability, always some of them; where the
// normalised Tsallis entropy of its probabilities is above a threshold it uses all. Losses: the
// mean entropy, and soft load balance. Defaults are those of the first author's code
// (mikecovlee/DynMoLE@2f428d3, template for LLaMA). Differs from it: dropout has one mask for the
// linears that read the same x (`dropout_mask: expert` goes back), is off in evaluations, and
// padding, which does not exist here, counts nowhere.
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
    v.field("top_p", top_p, "Budget of probability of a token's experts; 1: all.",
            {.maximum = 1, .above = 0});
    v.field("keep_top_k", keep_top_k, "So many of the most probable experts are always used.",
            {.minimum = 1, .maximum = 4096});
    v.field("selection", rule,
            "prefix: the expert that crosses top_p is out (released); nucleus: it is in.",
            {.choices = {"strict_top_p", "top_p"}});
    v.field("entropy_threshold", threshold,
            "A token whose entropy is above it uses all experts; 1 with normalised entropies: off.",
            {.maximum = 100, .above = 0});
    v.field("entropy_type", entropy, "Of the switch and of the loss.",
            {.choices = {"tsallis", "renyi", "shannon"}});
    v.field("entropy_index", index,
            "Of tsallis (q) and renyi: 1, or 0.01 or more away from it unless eps is 0.",
            {.maximum = 2, .above = 0});
    v.field("entropy_eps", eps, "Added to every probability.", {.minimum = 0, .maximum = 0.1});
    v.field("normalize_entropy", normalized, "Entropies are divided by their largest value.");
    v.field("renormalize", renormalize, "The weights of a token's experts sum to one.");
    v.field("entropy_loss", entropy_loss, "Weight of the mean entropy; 0: off.", {.minimum = 0});
    v.field("balance", balance, "Weight of the load balance; 0: off.", {.minimum = 0});
    v.field("load", load,
            "What an expert's load is: weight, its mean weight (released); selected, the share of "
            "tokens that use it; share, the same divided by a token's mean number of experts.",
            {.choices = {"weight", "selected", "share"}});
    v.field("reduction", over,
            "Losses of all routers pooled (released), or the mean of those of each layer or site.",
            {.choices = {"pooled", "layer_mean", "mean"}});
    v.field("tokens", tokens, "Which tokens the losses count: all, or those after the prompt.",
            {.choices = {"all", "supervised"}});
  }

  std::optional<FieldProblem> check() const override {
    if (normalized && threshold > 1)
      return FieldProblem{"entropy_threshold", "above 0 and at most 1 (entropies are normalised)",
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
                "LoRA experts: few for a token whose router is sure, all for one where it is not.",
                [] { return std::make_unique<DynmoleConfig>(); },
                [](const Config& config, const StackShape& shape) {
                  return dynmole_mixture(config)->specs(shape, "dynmole");
                },
                dynmole_mixture});
}

}  // namespace mixtune
