// MixLoRA (Li et al. 2024, arXiv 2404.15159): the feed-forward of a block becomes a mixture of
// experts that share its weights and differ by low-rank updates of all its linears; a router for
// the block sends each token to its top two; the linears of the attention have plain updates.
// Defaults are those of the authors' MoE-PEFT at 40f8cb7 and of its template. Where we differ: the
// base down-projection runs once for all experts (it is linear); jitter reaches the router alone;
// losses count every token of a batch, and there is no padding to count. With `switch`, the
// released code returns the input unchanged at inference; here the expert's output counts as in
// training, and no token is left out for want of capacity, so that a prediction does not depend on
// the length of its text.
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
            "top_k: the k best, weights summing to one; dynamic: the fewest experts that hold the "
            "probability p, raw weights; switch: the best one, with its probability as the weight.",
            {.choices = {"top_k", "dynamic", "switch"}});
    v.field("num_experts", experts, "Experts of each block.", {.minimum = 1, .maximum = 4096});
    v.field("top_k", k, "top_k: experts for each token.", {.minimum = 1, .maximum = 4096});
    v.field("top_p", p, "dynamic: share of probability that the experts hold; 1: all experts.",
            {.maximum = 1, .above = 0});
    v.field("capacity", capacity,
            "switch: tokens of a sequence that one expert takes in training; the others pass "
            "through. At inference there is no limit.",
            {.minimum = 1});
    v.field("r", rank, "Rank of the experts' updates.", {.minimum = 1, .maximum = 65536});
    v.field("lora_alpha", alpha, "The updates are scaled by alpha / rank.", {.above = 0});
    v.field("use_rslora", rslora, "Scale by alpha / sqrt(rank) instead.");
    v.field("lora_dropout", dropout, "Dropout on the input of the updates.",
            {.minimum = 0, .below = 1});
    v.field("router_std", router_deviation,
            "Standard deviation of the routers' first weights; null: 0.02, with switch 1.",
            {.minimum = 0});
    v.field(
        "jitter_noise", jitter,
        "In training routers read x times U(1 - jitter, 1 + jitter); null: 0, with switch 0.01.",
        {.minimum = 0, .below = 1});
    v.field("balance", balance, "Weight of the load-balancing loss over all blocks.",
            {.minimum = 0});
    v.field("entropy_loss", entropy_loss,
            "Weight of the mean normalised Tsallis entropy of index 1.4 (MoE-PEFT from 2.1.0 on: "
            "0.01 with top_k).",
            {.minimum = 0});
    v.field("z_loss", z_loss, "switch: weight of the router's z-loss.", {.minimum = 0});
    v.field("attention_r", attention_rank, "Rank of the updates in the attention.",
            {.minimum = 1, .maximum = 65536});
    v.field("attention_alpha", attention_alpha, "Their alpha.", {.above = 0});
    v.field("attention_target_modules", attention_targets,
            "Linears with plain updates, outside of the feed-forward; an empty list: none.");
    v.field("layers_to_transform", layers, "Block numbers to adapt; null: all.");
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
                "Whole feed-forwards as experts with low-rank updates around shared weights.",
                [] { return std::make_unique<MixLoraConfig>(); },
                [](const Config& config, const StackShape& shape) {
                  return mixlora_mixture(config)->specs(shape, "mixlora");
                },
                mixlora_mixture});
}

}  // namespace mixtune
