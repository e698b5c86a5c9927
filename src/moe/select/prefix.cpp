// The most probable experts as long as their probabilities sum to at most p: the one that crosses p
// is out (DynMoLE as released). The sum of all may exceed 1 by rounding, so p >= 1 means all.
#include "moe/select/select.h"

namespace molt {
namespace {

struct PrefixConfig final : Config {
  double p = 0.75;
  int64_t keep = 2;
  void fields(FieldVisitor& v) override {
    v.field("p", p, "Budget of probability; from 1 on: all experts.", {.above = 0});
    v.field("keep", keep, "So many of the most probable experts are always in.",
            {.minimum = 1, .maximum = 4096});
  }
};

class Prefix final : public Select {
 public:
  Prefix(double p, int64_t keep) : p_(p), keep_(keep) {}
  Tensor mask(const Tensor& probabilities) const override {
    if (p_ >= 1) return at::ones_like(probabilities.detach());
    const Ranked r = ranked(probabilities);
    const Tensor sums = at::cumsum(r.probabilities, 1);  // [T, E]
    const Tensor within = sums <= static_cast<float>(p_);
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

void register_prefix(Registry<SelectEntry>& registry) {
  registry.add({"prefix", "The most probable experts within a budget of probability.",
                [] { return std::make_unique<PrefixConfig>(); },
                [](const Config& config) {
                  const auto& c = dynamic_cast<const PrefixConfig&>(config);
                  return std::make_unique<Prefix>(c.p, c.keep);
                }});
}

}  // namespace molt
