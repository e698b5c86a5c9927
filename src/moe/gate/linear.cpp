// Linear gate: s = W z + b with W ~ N(0, initializer_range) and b = 0 (the authors' MoLEx code).
// Routers of low-rank experts use s = W z, as in the papers.
#include "moe/gate/gate.h"

namespace mixtune {
namespace {

struct LinearGateConfig final : Config {
  void fields(FieldVisitor&) override {}
};

class LinearGate final : public Gate {
 public:
  LinearGate(const GateShape& shape, RandomKey key)
      : weight_(normal_tensor({shape.experts, shape.width}, shape.initializer_range, key)
                    .to(shape.options)),
        bias_(at::zeros({shape.experts}, shape.options)) {}

  Tensor forward(const Tensor& x, const SequenceLayout&) const override {
    return at::linear(x, weight_, bias_);  // [T, E]
  }

  std::vector<std::pair<std::string, Tensor*>> tensors() override {
    return {{"weight", &weight_}, {"bias", &bias_}};
  }

 private:
  Tensor weight_, bias_;  // [E, D], [E]
};

}  // namespace

void register_linear(Registry<GateEntry>& registry) {
  registry.add({"linear", "W x; for layer experts W x + b.",
                [] { return std::make_unique<LinearGateConfig>(); },
                [](const Config&, const GateShape& shape, RandomKey key) {
                  return std::make_unique<LinearGate>(shape, derive(key, "weight"));
                },
                true});
}

}  // namespace mixtune
