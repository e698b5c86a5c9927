// Softmax scoring: exp(s / temperature), divided by the sum over the experts of a token.
#include "moe/scoring/scoring.h"

namespace mixtune {
namespace {

class Softmax final : public Scoring {
 public:
  explicit Softmax(double temperature) : temperature_(temperature) {}
  Tensor of(const Tensor& scores) const override {
    return at::softmax(temperature_ == 1 ? scores : scores / temperature_, 1);
  }
  bool gives_shares() const override { return true; }

 private:
  double temperature_;
};

}  // namespace

void register_softmax(Registry<ScoringEntry>& registry) {
  registry.add({"softmax", "Weights that sum to one.",
                [] { return std::make_unique<TemperatureConfig>(); },
                [](const Config& config) {
                  return std::make_unique<Softmax>(
                      dynamic_cast<const TemperatureConfig&>(config).temperature);
                }});
}

}  // namespace mixtune
