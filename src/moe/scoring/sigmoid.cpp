// Sigmoid scoring: 1 / (1 + exp(-s / temperature)) for each expert independently (Lewis et al.
// 2021, BASE layers; DeepSeek-V3).
#include "moe/scoring/scoring.h"

namespace mixtune {
namespace {

class Sigmoid final : public Scoring {
 public:
  explicit Sigmoid(double temperature) : temperature_(temperature) {}
  Tensor of(const Tensor& scores) const override {
    return at::sigmoid(temperature_ == 1 ? scores : scores / temperature_);
  }
  bool gives_shares() const override { return false; }

 private:
  double temperature_;
};

}  // namespace

void register_sigmoid(Registry<ScoringEntry>& registry) {
  registry.add({"sigmoid", "Independent weights between 0 and 1 per expert.",
                [] { return std::make_unique<TemperatureConfig>(); },
                [](const Config& config) {
                  return std::make_unique<Sigmoid>(
                      dynamic_cast<const TemperatureConfig&>(config).temperature);
                }});
}

}  // namespace mixtune
