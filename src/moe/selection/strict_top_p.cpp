// Strict top-p: the most probable experts while their probabilities sum to at most p, excluding the
// expert that crosses p (the authors' DynMoLE code).
#include "moe/selection/budget.h"

namespace mixtune {
namespace {

struct StrictTopPConfig final : Config {
  double p = 0.75;
  int64_t keep = 2;
  void fields(FieldVisitor& v) override {
    v.field("p", p, "Probability budget; 1: all experts.", {.maximum = 1, .above = 0});
    v.field("keep_top_k", keep, "Minimum number of experts per token.",
            {.minimum = 1, .maximum = 4096});
  }
};

class StrictTopP final : public Budget {
 public:
  using Budget::Budget;

 protected:
  Tensor within(const Tensor& sums, const Tensor&, float p) const override { return sums <= p; }
};

}  // namespace

void register_strict_top_p(Registry<SelectionEntry>& registry) {
  registry.add({"strict_top_p", "The most probable experts with total probability at most p.",
                [] { return std::make_unique<StrictTopPConfig>(); },
                [](const Config& config) {
                  const auto& c = dynamic_cast<const StrictTopPConfig&>(config);
                  return std::make_unique<StrictTopP>(c.p, c.keep);
                }});
}

}  // namespace mixtune
