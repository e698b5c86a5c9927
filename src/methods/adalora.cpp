// AdaLoRA (Zhang et al. 2023, arXiv 2303.10512): the updates B diag(E) A of all linears share a
// rank budget, which shrinks during training. Triplets of the lowest importance are removed, so
// important linears keep a higher rank. A loss keeps A and B orthogonal. Scaling, ranks, betas and
// the weight of that loss follow PEFT 0.21; lora_alpha and target_modules are ours. Two differences
// from PEFT: steps count from 1, and linears that read the same x share one dropout mask.
#include "base/fields.h"
#include "methods/method.h"
#include "moe/experts/adapters.h"

namespace mixtune {
namespace {

struct AdaLoraConfig final : Config {
  int64_t rank = 12;
  double alpha = 16, dropout = 0, orthogonality = 0.5;
  RankBudgetSettings budget;
  std::vector<std::string> targets = {"all-linear"}, exclude;
  std::optional<std::vector<int64_t>> layers;

  void fields(FieldVisitor& v) override {
    v.field("init_r", rank, "Initial rank of each update.", {.minimum = 1, .maximum = 65536});
    v.field("target_r", budget.target, "Average rank of the updates at the end of training.",
            {.minimum = 1, .maximum = 65536});
    v.field("tinit", budget.initial_steps,
            "Number of steps before the rank budget starts to shrink.", {.minimum = 0});
    v.field("tfinal", budget.final_steps, "Number of final steps with a fixed rank budget.",
            {.minimum = 0});
    v.field("deltaT", budget.every, "Number of steps between two reductions of the rank budget.",
            {.minimum = 1});
    v.field("beta1", budget.beta1, "Smoothing factor of the running mean of the importance.",
            {.above = 0, .below = 1});
    v.field("beta2", budget.beta2,
            "Smoothing factor of the running mean of the importance's uncertainty.",
            {.above = 0, .below = 1});
    v.field("orth_reg_weight", orthogonality,
            "Weight of the orthogonality loss on A and B; 0: off.", {.minimum = 0});
    v.field("lora_alpha", alpha, "Updates are scaled by lora_alpha / r.", {.above = 0});
    v.field("lora_dropout", dropout, "Dropout on the input of the updates.",
            {.minimum = 0, .below = 1});
    v.field("target_modules", targets,
            "Linear layers to adapt: roles, ends of module names, regular expressions, or "
            "all-linear.");
    v.field("exclude_modules", exclude,
            "Linear layers to exclude, by module name or regular expression.");
    v.field("layers_to_transform", layers, "Indices of the layers to adapt; null: all.");
  }

  std::optional<FieldProblem> check() const override {
    if (budget.target <= rank) return std::nullopt;
    return FieldProblem{"target_r", "1 to " + std::to_string(rank) + " (init_r)",
                        "Lower it or raise init_r."};
  }
};

std::vector<AdapterSpec> adalora_specs(const Config& config, int64_t) {
  const auto& c = dynamic_cast<const AdaLoraConfig&>(config);
  auto adapter = std::make_shared<LoraAdapter>();
  adapter->method = "adalora";
  adapter->rank = c.rank;
  adapter->alpha = c.alpha;
  adapter->dropout = c.dropout;
  adapter->budget = c.budget;
  adapter->orthogonality = c.orthogonality;
  return {{.sites = {c.targets, c.layers, c.exclude}, .adapter = adapter}};
}

}  // namespace

void register_adalora(Registry<MethodEntry>& registry) {
  registry.add({"adalora", "arXiv 2303.10512",
                "Low-rank updates that share a rank budget, which shrinks during training.",
                [] { return std::make_unique<AdaLoraConfig>(); }, adalora_specs});
}

}  // namespace mixtune
