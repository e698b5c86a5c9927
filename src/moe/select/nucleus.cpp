// The fewest experts whose probabilities sum to p, the one that crosses it included (Holtzman et
// al. 2020; MixLoRA with top-p).
#include "moe/select/budget.h"

namespace mixtune {
namespace {

struct NucleusConfig final : Config {
  double p = 0.8;
  int64_t keep = 1;
  void fields(FieldVisitor& v) override {
    v.field("p", p, "Share of probability that the experts hold; 1: all experts.",
            {.maximum = 1, .above = 0});
    v.field("keep", keep, "So many of the most probable experts are always in.",
            {.minimum = 1, .maximum = 4096});
  }
};

class Nucleus final : public Budget {
 public:
  using Budget::Budget;

 protected:
  Tensor within(const Tensor& sums, const Tensor& own, float p) const override {
    return sums - own < p;
  }
};

}  // namespace

void register_nucleus(Registry<SelectEntry>& registry) {
  registry.add({"nucleus", "The fewest experts that hold a share of the probability.",
                [] { return std::make_unique<NucleusConfig>(); },
                [](const Config& config) {
                  const auto& c = dynamic_cast<const NucleusConfig&>(config);
                  return std::make_unique<Nucleus>(c.p, c.keep);
                }});
}

}  // namespace mixtune
