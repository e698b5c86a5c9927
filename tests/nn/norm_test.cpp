#include "nn/norm.h"

#include <cmath>

#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

ResidualNorm make_end(int64_t width, double dropout, at::TensorOptions options) {
  ResidualNorm end(LayerNorm("norm", width, 1e-12, options), Sublayer::attention, 0, dropout);
  end.norm.weight.copy_(1 + draw({width}, 0.3, "weight"));
  end.norm.bias.copy_(draw({width}, 0.3, "bias"));
  return end;
}

// x + residual = (2, 4, 6): mean 4, variance 8 / 3.
TEST(ResidualNorm, NormalizesTheSum) {
  const ResidualNorm end(LayerNorm("norm", 3, 1e-12, at::kDouble), Sublayer::attention, 0, 0);
  const SequenceLayout rows = rows_of({1});
  Reducer alone;
  ForwardContext context(Phase::evaluate, 7, 0, alone);
  const Tensor x = at::tensor({1., 1., 1.}, at::kDouble).view({1, 3});
  const Tensor residual = at::tensor({1., 3., 5.}, at::kDouble).view({1, 3});
  const double d = std::sqrt(8.0 / 3);
  EXPECT_CLOSE(end.forward(x, residual, Call{rows, {}, context}),
               at::tensor({-2 / d, 0., 2 / d}, at::kDouble).view({1, 3}), 1e-9);
}

struct Gradients {
  Tensor value, x, residual, weight, bias;
};

// The custom autograd node against the composition of libtorch operations.
TEST(ResidualNorm, EqualsItsCompositionGradientsIncluded) {
  const SequenceLayout rows = rows_of({3, 5});
  Reducer alone;
  for (const double dropout : {0.0, 0.3}) {
    const auto run = [&](bool composed) {
      ResidualNorm end = make_end(6, dropout, at::kFloat);
      end.norm.weight.requires_grad_(true);
      end.norm.bias.requires_grad_(true);
      const Tensor x = draw({8, 6}, 1, "x").requires_grad_(true);
      const Tensor residual = draw({8, 6}, 1, "residual").requires_grad_(true);
      ForwardContext context(Phase::train, 7, 0, alone);
      const Call call{rows, {}, context};
      const DropoutMask mask = context.mask(dropout, "norm", {}, "sublayer", rows);
      const Tensor y = composed ? at::layer_norm(residual + mixtune::dropout(x, mask), {6},
                                                 end.norm.weight, end.norm.bias, 1e-12)
                                : end.forward(x, residual, call);
      (y * draw({8, 6}, 1, "weights")).sum().backward();
      return Gradients{y.detach(), x.grad(), residual.grad(), end.norm.weight.grad(),
                       end.norm.bias.grad()};
    };
    const Gradients one = run(false), other = run(true);
    EXPECT_CLOSE(one.value, other.value, float_rounding(other.value, 16));
    EXPECT_CLOSE(one.x, other.x, float_rounding(other.x, 16));
    EXPECT_CLOSE(one.residual, other.residual, float_rounding(other.residual, 16));
    EXPECT_CLOSE(one.weight, other.weight, float_rounding(other.weight, 16));
    EXPECT_CLOSE(one.bias, other.bias, float_rounding(other.bias, 16));
    EXPECT_EQ(largest_difference(one.x, one.residual) > 1e-3, dropout > 0);
  }
}

class AddOne final : public OutputAdapter {
 public:
  Tensor forward(const Tensor& x, const Call&) override { return x + 1; }
};

// The adapter's input is the sublayer's output after its dropout, before the residual.
TEST(ResidualNorm, AdaptsTheDroppedOutSublayer) {
  const SequenceLayout rows = rows_of({8});
  Reducer alone;
  ResidualNorm end = make_end(6, 0.5, at::kFloat);
  end.adapter = std::make_shared<AddOne>();
  ForwardContext context(Phase::train, 7, 0, alone);
  const Tensor x = draw({8, 6}, 1, "x"), residual = draw({8, 6}, 1, "residual");
  const Tensor dropped = apply_mask(x, context.mask(0.5, "norm", {}, "sublayer", rows));
  EXPECT_CLOSE(end.forward(x, residual, Call{rows, {}, context}),
               end.norm.forward(residual + (dropped + 1)), 1e-5);
}

}  // namespace
}  // namespace mixtune::test
