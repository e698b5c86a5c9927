// Router z-loss: the mean over tokens of the squared logsumexp of the logits, which keeps logits
// small (Zoph et al. 2022, arXiv 2202.08906; MixLoRA's switch routing).
#include "moe/loss/router_loss.h"

namespace mixtune {
namespace {

struct ZConfig final : RouterLossConfig {
  ZConfig() { weight = 0.001; }
};

// Columns: the sum of squares, the number of tokens.
class ZLoss final : public RouterLoss {
 public:
  int64_t columns(int64_t) const override { return 2; }
  Tensor accumulate(const Routed& routed, const Counted&) const override {
    MIXTUNE_CHECK(routed.logits.defined(), "the z-loss needs logits");
    const Tensor square = at::logsumexp(routed.logits, 1).square().sum();
    return at::stack({square, at::full_like(square, static_cast<double>(routed.logits.size(0)))});
  }
  Tensor finalize(const Tensor& sums, int64_t) const override { return sums[0] / sums[1]; }
};

}  // namespace

void register_z(Registry<RouterLossEntry>& registry) {
  registry.add({"z", "Router z-loss: keeps the routers' logits small.",
                [] { return std::make_unique<ZConfig>(); },
                [](const Config&) { return std::make_unique<ZLoss>(); }});
}

}  // namespace mixtune
