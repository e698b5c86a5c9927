// Linear score: s = W z + b, W ~ N(0, initializer_range), b = 0 (MoLEx, released code).
#include "moe/score/score.h"

namespace molt {
namespace {

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

std::unique_ptr<Score> make_linear_score(const ScoreShape& shape, RandomKey key) {
  return std::make_unique<LinearScore>(shape, derive(key, "weight"));
}

}  // namespace molt
