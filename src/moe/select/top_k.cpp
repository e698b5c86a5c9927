// The k most probable experts (Shazeer et al. 2017; MoLA, MixLoRA).
#include "moe/select/budget.h"

namespace molt {
namespace {

struct TopKConfig final : Config {
  int64_t k = 2;
  void fields(FieldVisitor& v) override {
    v.field("k", k, "Experts for each token.", {.minimum = 1, .maximum = 4096});
  }
};

class TopK final : public Select {
 public:
  explicit TopK(int64_t k) : k_(k) {}
  Tensor mask(const Tensor& probabilities) const override {
    const Ranked r = ranked(probabilities);
    return r.back(first_ranks(probabilities.size(1), k_, r.probabilities.options())
                      .expand(probabilities.sizes())
                      .contiguous());
  }
  void check(int64_t experts, const std::string& where) const override {
    check_enough(k_, experts, where + ".k");
  }

 private:
  int64_t k_;
};

}  // namespace

void register_top_k(Registry<SelectEntry>& registry) {
  registry.add({"top_k", "The k most probable experts.",
                [] { return std::make_unique<TopKConfig>(); },
                [](const Config& config) {
                  return std::make_unique<TopK>(dynamic_cast<const TopKConfig&>(config).k);
                }});
}

}  // namespace molt
