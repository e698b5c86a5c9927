// Load-balancing loss of token routers: E sum_i f_i P_i, with P_i the mean probability of expert i
// and f_i its load. `count` defines the load: selected, the fraction of tokens that selected the
// expert (loss k if balanced; MoE-PEFT's MoLA and MixLoRA); share, that fraction divided by the
// mean number of experts per token (loss 1 if balanced; the original MoLA, Switch Transformer);
// weight, its mean weight, which also carries gradients (the authors' DynMoLE code).
#include "moe/loss/router_loss.h"

namespace mixtune {
namespace {

struct LoadConfig final : RouterLossConfig {
  std::string count = "selected";

  LoadConfig() { weight = 0.001; }
  void fields(FieldVisitor& v) override {
    RouterLossConfig::fields(v);
    v.field("count", count,
            "Load of an expert: selected (fraction of tokens that selected it), share (that "
            "fraction divided by the mean number of experts per token) or weight (mean weight).",
            {.choices = {"selected", "share", "weight"}});
  }
};

// Columns: E loads, E probabilities, the number of tokens.
class LoadLoss final : public RouterLoss {
 public:
  explicit LoadLoss(std::string count) : count_(std::move(count)) {}
  int64_t columns(int64_t experts) const override { return 2 * experts + 1; }
  Tensor accumulate(const Routed& routed, const Counted&) const override {
    const Tensor load = (count_ == "weight" ? routed.weights : routed.mask).sum(0);
    return at::cat({load, routed.probabilities.sum(0),
                    at::full({1}, static_cast<double>(routed.mask.size(0)), load.options())});
  }
  Tensor finalize(const Tensor& sums, int64_t experts) const override {
    const Tensor load = sums.narrow(0, 0, experts), tokens = sums[2 * experts];
    const Tensor mean = sums.narrow(0, experts, experts) / tokens;
    const Tensor total = count_ == "share" ? load.sum() : tokens;
    return static_cast<double>(experts) * (load / total * mean).sum();
  }

 private:
  std::string count_;
};

}  // namespace

void register_load(Registry<RouterLossEntry>& registry) {
  registry.add({"load", "Balances the load of the experts.",
                [] { return std::make_unique<LoadConfig>(); },
                [](const Config& config) {
                  return std::make_unique<LoadLoss>(dynamic_cast<const LoadConfig&>(config).count);
                }});
}

}  // namespace mixtune
