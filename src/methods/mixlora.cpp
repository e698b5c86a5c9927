// MixLoRA (Li et al. 2024, arXiv 2404.15159): the feed-forward of a layer becomes a mixture of
// experts that share its weights and differ by low-rank updates of all its linears; the layer's
// router sends each token to its top two experts; the linears of the attention have plain LoRA
// updates. Defaults follow the authors' MoE-PEFT at 40f8cb7 and its template. Differences: the base
// down-projection runs once for all experts (it is linear); jitter applies to the router only;
// losses count every token of a batch, which has no padding. With `switch`, the authors' code
// returns the input unchanged at inference; here the expert's output is used as in training, and
// inference has no capacity limit, so a prediction does not depend on the sequence length.
#include "methods/mixture.h"

namespace mixtune {
namespace {

struct MixLoraConfig final : Config {
  std::string routing = "top_k";
  int64_t experts = 8, k = 2, rank = 16, capacity = 32;
  double p = 0.8, alpha = 32, dropout = 0.05, balance = 0.001, z_loss = 0.001, entropy_loss = 0;
  bool rslora = false;
  std::optional<double> jitter, router_deviation;
  int64_t attention_rank = 16;
  double attention_alpha = 32;
  std::vector<std::string> attention_targets = {"query", "key", "value", "attention_output"};
  std::optional<std::vector<int64_t>> layers;

  void fields(FieldVisitor& v) override {
    v.field("routing", routing,
            "top_k: the k most probable experts, weights rescaled to sum to 1; dynamic: the fewest "
            "experts with total probability top_p, weights not rescaled; switch: the most probable "
            "expert, weighted by its probability.",
            {.choices = {"top_k", "dynamic", "switch"}});
    v.field("num_experts", experts, "Number of experts per layer.",
            {.minimum = 1, .maximum = 4096});
    v.field("top_k", k, "Number of experts per token (routing: top_k).",
            {.minimum = 1, .maximum = 4096});
    v.field(
        "top_p", p,
        "Total probability of the experts selected per token (routing: dynamic); 1: all experts.",
        {.maximum = 1, .above = 0});
    v.field("capacity", capacity,
            "Maximum number of tokens per sequence and expert in training (routing: switch); the "
            "other tokens bypass the expert. Inference has no limit.",
            {.minimum = 1});
    v.field("r", rank, "Rank of the experts' updates.", {.minimum = 1, .maximum = 65536});
    v.field("lora_alpha", alpha, "Updates are scaled by lora_alpha / r.", {.above = 0});
    v.field("use_rslora", rslora, "Scale by lora_alpha / sqrt(r) instead (rsLoRA).");
    v.field("lora_dropout", dropout, "Dropout on the input of the updates.",
            {.minimum = 0, .below = 1});
    v.field("router_std", router_deviation,
            "Standard deviation of the routers' initial weights; null: 0.02, or 1 with routing: "
            "switch.",
            {.minimum = 0});
    v.field(
        "jitter_noise", jitter,
        "In training, router inputs are multiplied by U(1 - jitter_noise, 1 + jitter_noise); null: "
        "0, or 0.01 with routing: switch.",
        {.minimum = 0, .below = 1});
    v.field("balance", balance, "Weight of the load-balancing loss over all layers.",
            {.minimum = 0});
    v.field("entropy_loss", entropy_loss,
            "Weight of the mean normalized Tsallis entropy with index 1.4; 0: off (MoE-PEFT 2.1.0 "
            "and later: 0.01 with top_k).",
            {.minimum = 0});
    v.field("z_loss", z_loss, "Weight of the router z-loss (routing: switch).", {.minimum = 0});
    v.field("attention_r", attention_rank, "Rank of the LoRA updates in the attention.",
            {.minimum = 1, .maximum = 65536});
    v.field("attention_alpha", attention_alpha, "lora_alpha of the LoRA updates in the attention.",
            {.above = 0});
    v.field("attention_target_modules", attention_targets,
            "Linear layers outside the feed-forward with plain LoRA updates; an empty list: none.");
    v.field("layers_to_transform", layers, "Indices of the layers to adapt; null: all.");
  }

  std::optional<FieldProblem> check() const override {
    if (routing == "top_k" && k > experts)
      return FieldProblem{"top_k", "1 to " + std::to_string(experts) + " (num_experts)",
                          "Lower top_k or raise num_experts."};
    return std::nullopt;
  }
};

std::unique_ptr<MixtureConfig> mixlora_mixture(const Config& config) {
  const auto& c = dynamic_cast<const MixLoraConfig&>(config);
  const bool switches = c.routing == "switch";
  auto out = std::make_unique<MixtureConfig>();
  out->site = part(site_choices(), "feed_forward");
  out->layers = c.layers;
  out->experts = std::to_string(c.experts);
  out->rank = std::to_string(c.rank);
  out->alpha = c.alpha;
  out->dropout = c.dropout;
  out->rslora = c.rslora;
  out->router.init = "normal";
  out->router.deviation = c.router_deviation.value_or(switches ? 1 : 0.02);
  out->router.jitter = c.jitter.value_or(switches ? 0.01 : 0);
  if (switches) out->capacity = c.capacity;
  if (c.routing == "dynamic") {
    out->selection = part(selection_choices(), "top_p");
    set(out->selection, "p", c.p);
  } else {
    set(out->selection, "k", std::to_string(switches ? 1 : c.k));
  }
  out->renormalize = c.routing == "top_k";
  out->losses.push_back(weighted_loss("load", c.balance));
  if (switches) out->losses.push_back(weighted_loss("z", c.z_loss));
  if (c.entropy_loss > 0) {
    Choice& loss = out->losses.emplace_back(weighted_loss("entropy", c.entropy_loss));
    set(loss, "index", 1.4);
    set(loss, "eps", 0.0);
  }
  out->attention.targets = c.attention_targets;
  out->attention.rank = c.attention_rank;
  out->attention.alpha = c.attention_alpha;
  return out;
}

}  // namespace

void register_mixlora(Registry<MethodEntry>& registry) {
  registry.add({"mixlora", "arXiv 2404.15159",
                "Feed-forward experts that share the base weights and differ by low-rank updates.",
                [] { return std::make_unique<MixLoraConfig>(); },
                [](const Config& config, const StackShape& shape) {
                  return mixlora_mixture(config)->specs(shape, "mixlora");
                },
                mixlora_mixture});
}

}  // namespace mixtune
