// Localized balancing (LoRAMoE, arXiv 2312.09979): each of two example groups has one half of the
// experts. The weights of an expert, summed over the tokens of an example, are multiplied by 1 +
// delta if the expert belongs to the example's group and by 1 - delta otherwise; the loss is the
// squared coefficient of variation of these values (variance over squared mean). As in the authors'
// code, group 1 has the first half, the variance is unbiased and lengths are not normalized.
// Examples without a group are ignored; if no example has one, the loss is zero. Legend: S
// sequences, E experts.
#include "moe/loss/router_loss.h"

namespace mixtune {
namespace {

struct VariationConfig final : RouterLossConfig {
  double delta = 0.1;

  VariationConfig() { reduction = "sum"; }
  void fields(FieldVisitor& v) override {
    RouterLossConfig::fields(v);
    v.field("delta", delta,
            "Strength of the separation between the experts of the two example groups.",
            {.minimum = 0, .below = 1});
  }
};

// Columns: the sum, the sum of squares and the number of entries.
class VariationLoss final : public RouterLoss {
 public:
  explicit VariationLoss(double delta) : delta_(delta) {}
  int64_t columns(int64_t) const override { return 3; }

  Tensor accumulate(const Routed& routed, const Counted& counted) const override {
    const Tensor& weights = routed.weights;  // [T sites, E]
    const int64_t experts = weights.size(1), sequences = counted.rows.sequences();
    const auto& group = counted.rows.example_group;
    int64_t known = 0;
    for (const int64_t g : group) known += g >= 0 ? 1 : 0;
    if (known == 0) return at::zeros({3}, weights.options());
    Tensor sequence = counted.rows.sequence_of_row();  // [T]
    if (counted.index.defined()) sequence = sequence.index_select(0, counted.index);
    const Tensor site = at::arange(counted.sites, sequence.options());
    const Tensor row = (sequence.unsqueeze(1) * counted.sites + site).reshape({-1});
    const Tensor used = at::zeros({sequences * counted.sites, experts}, weights.options())
                            .index_add(0, row, weights)
                            .view({sequences, counted.sites, experts});
    const Tensor factors = factors_of(group, experts).to(weights.options());  // [S, E]
    const Tensor z = used * factors.unsqueeze(1);                             // [S, sites, E]
    const auto entries = static_cast<double>(known * counted.sites * experts);
    return at::stack({z.sum(), (z * z).sum(), at::full({}, entries, z.options())});
  }

  Tensor finalize(const Tensor& sums, int64_t) const override {
    const Tensor n = sums[2].clamp_min(1), mean = sums[0] / n;
    const Tensor variance = (sums[1] - n * mean * mean) / (n - 1).clamp_min(1);
    return variance / (mean * mean + 1e-10);
  }

  void check(int64_t experts, const std::string& where) const override {
    if (experts % 2 == 0) return;
    throw UserError(where + ".num_experts",
                    "is " + std::to_string(experts) + "; localized balancing halves the experts",
                    "Use an even number, or no variation loss.");
  }

 private:
  // The factors 1 + delta and 1 - delta, zero for sequences without a group: [S, E].
  Tensor factors_of(const std::vector<int64_t>& group, int64_t experts) const {
    const Tensor out = at::zeros({static_cast<int64_t>(group.size()), experts}, at::kDouble);
    for (size_t s = 0; s < group.size(); ++s) {
      if (group[s] < 0) continue;
      const Tensor row = out[static_cast<int64_t>(s)];
      row.narrow(0, 0, experts / 2).fill_(group[s] != 0 ? 1 + delta_ : 1 - delta_);
      row.narrow(0, experts / 2, experts / 2).fill_(group[s] != 0 ? 1 - delta_ : 1 + delta_);
    }
    return out;
  }

  double delta_;
};

}  // namespace

void register_variation(Registry<RouterLossEntry>& registry) {
  registry.add({"variation",
                "Localized balancing: balances the experts within each example group (LoRAMoE).",
                [] { return std::make_unique<VariationConfig>(); },
                [](const Config& config) {
                  return std::make_unique<VariationLoss>(
                      dynamic_cast<const VariationConfig&>(config).delta);
                }});
}

}  // namespace mixtune
