// The most probable experts as long as their probabilities sum to at most p: the one that crosses p
// is out (DynMoLE as released).
#include "moe/selection/budget.h"

namespace mixtune {
namespace {

struct StrictTopPConfig final : Config {
  double p = 0.75;
  int64_t keep = 2;
  void fields(FieldVisitor& v) override {
    v.field("p", p, "Budget of probability; 1: all experts.", {.maximum = 1, .above = 0});
    v.field("keep_top_k", keep, "So many of the most probable experts are always in.",
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
  registry.add({"strict_top_p", "The most probable experts within a budget of probability.",
                [] { return std::make_unique<StrictTopPConfig>(); },
                [](const Config& config) {
                  const auto& c = dynamic_cast<const StrictTopPConfig&>(config);
                  return std::make_unique<StrictTopP>(c.p, c.keep);
                }});
}

}  // namespace mixtune
