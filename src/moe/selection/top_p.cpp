// The fewest experts whose probabilities sum to p, the one that crosses it included (Holtzman et
// al. 2020; MixLoRA with top-p).
#include "moe/selection/budget.h"

namespace mixtune {
namespace {

struct TopPConfig final : Config {
  double p = 0.8;
  int64_t keep = 1;
  void fields(FieldVisitor& v) override {
    v.field("p", p, "Share of probability that the experts hold; 1: all experts.",
            {.maximum = 1, .above = 0});
    v.field("keep_top_k", keep, "So many of the most probable experts are always in.",
            {.minimum = 1, .maximum = 4096});
  }
};

class TopP final : public Budget {
 public:
  using Budget::Budget;

 protected:
  Tensor within(const Tensor& sums, const Tensor& own, float p) const override {
    return sums - own < p;
  }
};

}  // namespace

void register_top_p(Registry<SelectionEntry>& registry) {
  registry.add({"top_p", "The fewest experts that hold a share of the probability.",
                [] { return std::make_unique<TopPConfig>(); },
                [](const Config& config) {
                  const auto& c = dynamic_cast<const TopPConfig&>(config);
                  return std::make_unique<TopP>(c.p, c.keep);
                }});
}

}  // namespace mixtune
