// AdaLoRA (Zhang et al. 2023, arXiv 2303.10512): updates B diag(E) A of all linears share a budget
// of ranks. It shrinks in training, and the triplets of the lowest importance go, so that linears
// that matter more keep a higher rank. The orthogonality of A and of B is a loss. Scaling, ranks,
// betas and that loss's weight as in PEFT (0.21); alpha and targets are ours. Differs from PEFT: a
// step counts from 1, and dropout has one mask for the linears that read the same x.
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
    v.field("init_r", rank, "Rank of each update at first.", {.minimum = 1, .maximum = 65536});
    v.field("target_r", budget.target, "Mean rank of the updates at the end.",
            {.minimum = 1, .maximum = 65536});
    v.field("tinit", budget.initial_steps, "Steps before the first rank is taken away.",
            {.minimum = 0});
    v.field("tfinal", budget.final_steps, "Steps after the last one was.", {.minimum = 0});
    v.field("deltaT", budget.every, "Steps from one cut to the next.", {.minimum = 1});
    v.field("beta1", budget.beta1, "Weight of what was, in the running mean of the importance.",
            {.above = 0, .below = 1});
    v.field("beta2", budget.beta2, "The same in the running mean of its spread.",
            {.above = 0, .below = 1});
    v.field("orth_reg_weight", orthogonality,
            "Weight of the loss that keeps A and B orthogonal; 0: off.", {.minimum = 0});
    v.field("lora_alpha", alpha, "The update is scaled by alpha / rank.", {.above = 0});
    v.field("lora_dropout", dropout, "Dropout on the input of the updates.",
            {.minimum = 0, .below = 1});
    v.field("target_modules", targets,
            "Linears to adapt: roles, ends of module names, regular expressions, or all-linear.");
    v.field("exclude_modules", exclude, "Linears to leave out, by module name or expression.");
    v.field("layers_to_transform", layers, "Block numbers to adapt; null: all.");
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
                "Low-rank updates that share a budget of ranks, which shrinks in training.",
                [] { return std::make_unique<AdaLoraConfig>(); }, adalora_specs});
}

}  // namespace mixtune
