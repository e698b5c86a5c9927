// The fewest experts whose probabilities sum to p, the one that crosses it included (Holtzman et
// al. 2020; MixLoRA with top-p).
#include "moe/select/select.h"

namespace molt {
namespace {

struct NucleusConfig final : Config {
  double p = 0.8;
  int64_t keep = 1;
  void fields(FieldVisitor& v) override {
    v.field("p", p, "Share of probability that the experts hold; from 1 on: all experts.",
            {.above = 0});
    v.field("keep", keep, "So many of the most probable experts are always in.",
            {.minimum = 1, .maximum = 4096});
  }
};

class Nucleus final : public Select {
 public:
  Nucleus(double p, int64_t keep) : p_(p), keep_(keep) {}
  Tensor mask(const Tensor& probabilities) const override {
    if (p_ >= 1) return at::ones_like(probabilities.detach());
    const Ranked r = ranked(probabilities);
    const Tensor sums = at::cumsum(r.probabilities, 1);  // [T, E]
    const Tensor within = sums - r.probabilities < static_cast<float>(p_);
    const Tensor kept = first_ranks(probabilities.size(1), keep_, r.probabilities.options());
    return r.back(at::maximum(within.to(r.probabilities.options()), kept));
  }
  void check(int64_t experts, const std::string& where) const override {
    if (keep_ <= experts) return;
    throw UserError(
        where + ".keep",
        "is " + std::to_string(keep_) + "; there are " + std::to_string(experts) + " experts",
        "Choose at most as many as there are.");
  }

 private:
  double p_;
  int64_t keep_;
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

}  // namespace molt
