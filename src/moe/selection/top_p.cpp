// Top-p: the fewest experts whose probabilities sum to at least p, including the expert that
// crosses p (Holtzman et al. 2020; MixLoRA with top-p).
#include "moe/selection/budget.h"

namespace mixtune {
namespace {

struct TopPConfig final : Config {
  double p = 0.8;
  int64_t keep = 1;
  void fields(FieldVisitor& v) override {
    v.field("p", p, "Total probability of the selected experts; 1: all experts.",
            {.maximum = 1, .above = 0});
    v.field("keep_top_k", keep, "Minimum number of experts per token.",
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
  registry.add({"top_p", "The fewest experts with total probability at least p.",
                [] { return std::make_unique<TopPConfig>(); },
                [](const Config& config) {
                  const auto& c = dynamic_cast<const TopPConfig&>(config);
                  return std::make_unique<TopP>(c.p, c.keep);
                }});
}

}  // namespace mixtune
