// Entropy loss: the mean entropy of the routers' probabilities, which makes routing more decisive
// (DynMoLE, arXiv 2504.00661).
#include "moe/loss/router_loss.h"

namespace mixtune {
namespace {

struct EntropyConfig final : RouterLossConfig {
  std::string kind = "tsallis";
  double index = 1.1, eps = 1e-5;
  bool normalized = true;

  EntropyConfig() { weight = 0.01; }
  void fields(FieldVisitor& v) override {
    RouterLossConfig::fields(v);
    v.field("type", kind, "Entropy function.", {.choices = {"tsallis", "renyi", "shannon"}});
    v.field("index", index,
            "Index of tsallis or renyi: 1, or at least 0.01 away from 1 unless eps is 0.",
            {.maximum = 2, .above = 0});
    v.field("eps", eps, "Constant added to every probability.", {.minimum = 0, .maximum = 0.1});
    v.field("normalize", normalized, "Divide entropies by their maximum.");
  }
};

// Columns: the sum of entropies, the number of tokens.
class EntropyLoss final : public RouterLoss {
 public:
  explicit EntropyLoss(const Entropy& entropy) : entropy_(entropy) {}
  int64_t columns(int64_t) const override { return 2; }
  Tensor accumulate(const Routed& routed, const Counted&) const override {
    const Tensor values = routed.entropy(entropy_);  // [T]
    return at::stack(
        {values.sum(), at::full({}, static_cast<double>(values.numel()), values.options())});
  }
  Tensor finalize(const Tensor& sums, int64_t) const override { return sums[0] / sums[1]; }
  bool needs_shares() const override { return true; }
  void check(int64_t experts, const std::string& where) const override {
    entropy_.check(where);
    if (experts >= 2) return;
    throw UserError(where + ".num_experts",
                    "is " + std::to_string(experts) + "; an entropy needs at least 2 experts",
                    "Use more experts, or no entropy loss.");
  }

 private:
  Entropy entropy_;
};

}  // namespace

void register_entropy(Registry<RouterLossEntry>& registry) {
  registry.add({"entropy", "Mean entropy of the routers' probabilities.",
                [] { return std::make_unique<EntropyConfig>(); },
                [](const Config& config) {
                  const auto& c = dynamic_cast<const EntropyConfig&>(config);
                  return std::make_unique<EntropyLoss>(
                      Entropy{entropy_kind(c.kind), c.index, c.eps, c.normalized});
                }});
}

}  // namespace mixtune
