// Linear score: s = W z + b, W ~ N(0, initializer_range), b = 0 (MoLEx, released code); where
// tokens are routed to low-rank experts s = W z, as their papers have it.
#include "moe/score/score.h"

namespace mixtune {
namespace {

struct LinearScoreConfig final : Config {
  void fields(FieldVisitor&) override {}
};

class LinearScore final : public Score {
 public:
  LinearScore(const ScoreShape& shape, RandomKey key)
      : weight_(normal_tensor({shape.experts, shape.width}, shape.initializer_range, key)
                    .to(shape.options)),
        bias_(at::zeros({shape.experts}, shape.options)) {}

  Tensor forward(const Tensor& x, const Rows&) const override {
    return at::linear(x, weight_, bias_);  // [T, E]
  }

  std::vector<std::pair<std::string, Tensor*>> tensors() override {
    return {{"weight", &weight_}, {"bias", &bias_}};
  }

 private:
  Tensor weight_, bias_;  // [E, D], [E]
};

}  // namespace

void register_linear(Registry<ScoreEntry>& registry) {
  registry.add({"linear", "W x; in layer experts W x + b.",
                [] { return std::make_unique<LinearScoreConfig>(); },
                [](const Config&, const ScoreShape& shape, RandomKey key) {
                  return std::make_unique<LinearScore>(shape, derive(key, "weight"));
                },
                true});
}

}  // namespace mixtune
