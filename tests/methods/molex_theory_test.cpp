// MoLEx of linear layers u_t(z) = A_t z with A_t = I + W_t under fixed routing: group G of the
// verification tests of its sheet, with their numbers, in double precision. Legend: T positions, D
// width, M = 2^T member networks.
#include "support/hand_made_stack.h"

namespace mixtune::test {
namespace {

class LinearMolex {
 public:
  LinearMolex(int64_t layers, int64_t width, double own) : own_(own), made_(width), width_(width) {
    matrices_.resize(static_cast<size_t>(layers));
    for (int64_t t = 0; t < layers; ++t)
      made_.add([this, t](const Tensor& z, const Call&) { return at::mm(z, matrices_[t].t()); });
    made_.attach_molex("alpha: {main: " + std::to_string(own) +
                       ", other: " + std::to_string(1 - own) + "}");
  }

  void draw_case(RandomKey seed, double deviation) {
    for (size_t t = 0; t < matrices_.size(); ++t) {
      const std::string name = "A" + std::to_string(t);
      matrices_[t] = at::eye(width_, at::kDouble) +
                     draw({width_, width_}, deviation, name, seed).to(at::kDouble);
      routing_.resize(matrices_.size());
      routing_[t] = static_cast<int64_t>(random_integer(derive(seed, name), 0, matrices_.size()));
    }
  }

  // The matrix that the stack multiplies by: its outputs for the unit vectors.
  Tensor whole() {
    ForwardContext c = made_.context();
    force_all(c, routing_);
    return made_.stack.forward(at::eye(width_, at::kDouble), rows_of({width_}), c, nullptr).t();
  }

  // The member networks [M, D, D] and their weights [M]; member s borrows at the positions of its
  // bits.
  std::pair<Tensor, Tensor> members() const {
    std::vector<Tensor> products;
    std::vector<double> weights;
    for (int64_t s = 0; s < (int64_t{1} << matrices_.size()); ++s) {
      Tensor product = at::eye(width_, at::kDouble);
      double weight = 1;
      for (size_t t = 0; t < matrices_.size(); ++t) {
        const bool borrows = (s >> t) & 1;
        product = at::mm(matrices_[borrows ? static_cast<size_t>(routing_[t]) : t], product);
        weight *= borrows ? 1 - own_ : own_;
      }
      products.push_back(product);
      weights.push_back(weight);
    }
    return {at::stack(products), at::tensor(weights, at::kDouble)};
  }

  const std::vector<Tensor>& matrices() const { return matrices_; }
  const std::vector<int64_t>& routing() const { return routing_; }

 private:
  double own_;
  HandMadeStack made_;
  int64_t width_;
  std::vector<Tensor> matrices_;
  std::vector<int64_t> routing_;
};

// 30, T1
TEST(MolexTheory, IsAConvexCombinationOfSequentialNetworks) {
  for (const int64_t layers : {1, 2, 4, 6}) {
    LinearMolex molex(layers, 5, 0.7);
    for (RandomKey seed = 0; seed < 5; ++seed) {
      molex.draw_case(seed, 0.4);
      const auto [products, weights] = molex.members();
      EXPECT_NEAR(weights.sum().item<double>(), 1, 1e-12);
      EXPECT_CLOSE(molex.whole(), (weights.view({-1, 1, 1}) * products).sum(0), 1e-10);
    }
  }
}

// The exact l2 robust radius of linear classifiers [.., C, D] at x for class 0: [..].
Tensor robust_radius(const Tensor& classifiers, const Tensor& x) {
  const int64_t classes = classifiers.size(-2);
  const Tensor differences =
      classifiers.narrow(-2, 0, 1) - classifiers.narrow(-2, 1, classes - 1);  // [.., C - 1, D]
  return std::get<0>((at::matmul(differences, x) / differences.norm(2, {-1})).min(-1));
}

// 31, T2
TEST(MolexTheory, RobustRadiusIsAtLeastThatOfTheWorstMember) {
  LinearMolex molex(2, 4, 0.6);
  int cases = 0, beats_the_base = 0;
  for (RandomKey seed = 0; cases < 1000; ++seed) {
    ASSERT_LT(seed, 4000u) << "too few cases in which all members are right";
    molex.draw_case(seed, 0.3);
    const Tensor x = draw({4}, 1, "x", seed).to(at::kDouble);
    Tensor read_out = draw({3, 4}, 1, "H", seed).to(at::kDouble);
    const Tensor products = molex.members().first;
    // The label is the prediction of the first member: its row becomes row 0.
    const int64_t label = at::mv(read_out, at::mv(products[0], x)).argmax().item<int64_t>();
    read_out = at::roll(read_out, -label, 0);
    const Tensor radii = robust_radius(at::matmul(read_out, products), x);  // [M]
    const double worst = radii.min().item<double>();
    if (worst <= 0) continue;
    ++cases;
    const double radius = robust_radius(at::mm(read_out, molex.whole()), x).item<double>();
    ASSERT_GE(radius, worst - 1e-10) << "seed " << seed;
    if (radius > radii[0].item<double>()) ++beats_the_base;
  }
  // T3: it does not follow that the blend beats the network it started from.
  EXPECT_GT(beats_the_base, 0);
  EXPECT_LT(beats_the_base, 1000);
}

// 32, T4
TEST(MolexTheory, OperatorNormIsAtMostTheProductOfTheLargerNorms) {
  const auto norm = [](const Tensor& matrix) {
    return at::linalg_matrix_norm(matrix, 2).item<double>();
  };
  LinearMolex molex(4, 5, 0.5);
  for (RandomKey seed = 0; seed < 50; ++seed) {
    molex.draw_case(seed, 0.5);
    double bound = 1;
    for (size_t t = 0; t < 4; ++t) {
      const Tensor &own = molex.matrices()[t], &other = molex.matrices()[molex.routing()[t]];
      const double blend = norm(0.5 * own + 0.5 * other);
      EXPECT_LE(blend, 0.5 * norm(own) + 0.5 * norm(other) + 1e-10);
      bound *= std::max(norm(own), norm(other));
    }
    EXPECT_LE(norm(molex.whole()), bound + 1e-9);
  }
}

}  // namespace
}  // namespace mixtune::test
