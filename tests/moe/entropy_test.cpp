// Entropies by the numbers of DynMoLE's sheet, 6.1, 6.2 and 6.5, worked in double precision.
#include "moe/entropy.h"

#include "support/routers.h"

namespace mixtune::test {
namespace {

using Kind = Entropy::Kind;

double value(const Entropy& entropy, const std::vector<double>& p) {
  return entropy.of(matrix({p})).item<double>();
}

TEST(Entropy, IsLargestForEqualProbabilities) {
  struct Row {
    int64_t experts;
    double of[7];
  };
  const double indices[] = {0.5, 1, 1.1, 1.2, 1.4, 1.5, 2};
  const Row rows[] = {{4, {2, 1.386294, 1.294494, 1.210709, 1.064127, 1, 0.75}},
                      {6, {2.898979, 1.791759, 1.640412, 1.505864, 1.279102, 1.183503, 0.833333}},
                      {8, {3.656854, 2.079442, 1.877476, 1.701230, 1.411812, 1.292893, 0.875}}};
  for (const Row& row : rows)
    for (int i = 0; i < 7; ++i) {
      const Entropy raw{Kind::tsallis, indices[i], 0, false};
      EXPECT_NEAR(raw.largest(row.experts), row.of[i], 6e-7);
      const auto n = static_cast<size_t>(row.experts);
      EXPECT_NEAR(value(raw, std::vector<double>(n, 1.0 / static_cast<double>(n))), row.of[i],
                  6e-7);
    }
}

// Raw with eps 0; normalized with eps 0; normalized with eps 1e-5; for q = 1, 1.1, 2.
TEST(Entropy, OfTsallisHasTheValuesOfTheSheet) {
  struct Row {
    std::vector<double> p;
    double of[3][3];
  };
  const double sixth = 1.0 / 6;
  const Row rows[] = {
      {kA, {{.918647, .512707, .512772}, {.834566, .508754, .508451}, {.466400, .559680, .559656}}},
      {kB,
       {{1.525476, .851384, .851421}, {1.395951, .850976, .850648}, {.739800, .887760, .887736}}},
      {kC,
       {{1.750962, .977231, .977259}, {1.603014, .977202, .976867}, {.820000, .984000, .983976}}},
      {kD, {{.179435, .100144, .100258}, {.147298, .089793, .089528}, {.058880, .070656, .070632}}},
      {std::vector<double>(6, sixth),
       {{1.791759, 1, 1.000027}, {1.640412, 1, .999664}, {.833333, 1, .999976}}},
      {{1, 0, 0, 0, 0, 0}, {{0, 0, .000316}, {0, 0, -.000163}, {0, 0, -.000024}}},
      {{.5, .5, 0, 0, 0, 0},
       {{.693147, .386853, .387106}, {.669670, .408233, .408031}, {.5, .6, .599976}}},
      {{.7, .2, .05, .05},
       {{.871133, .628390, .628418}, {.801458, .619128, .618848}, {.465, .62, .619973}}}};
  const double indices[] = {1, 1.1, 2};
  for (const Row& row : rows)
    for (int i = 0; i < 3; ++i) {
      EXPECT_NEAR(value({Kind::tsallis, indices[i], 0, false}, row.p), row.of[i][0], 6e-7);
      EXPECT_NEAR(value({Kind::tsallis, indices[i], 0, true}, row.p), row.of[i][1], 6e-7);
      EXPECT_NEAR(value({Kind::tsallis, indices[i], 1e-5, true}, row.p), row.of[i][2], 6e-7);
    }
}

TEST(Entropy, OfTsallisIsOneMinusTheSumOfSquaresForIndexTwo) {
  EXPECT_NEAR(value({Kind::tsallis, 2, 0, false}, kB),
              1 - (.16 + .0625 + .0225 + .01 + .0036 + .0016), 1e-12);
}

TEST(Entropy, OfTsallisConvergesToShannonsAndDecreasesWithItsIndex) {
  EXPECT_NEAR(value({Kind::tsallis, 1.001, 0, false}, kB), 1.524089, 6e-7);
  EXPECT_NEAR(value({Kind::shannon, 7, 0, false}, kB), 1.525476, 6e-7);
  double last = 100;
  for (const double q : {0.3, 0.7, 1.0, 1.1, 1.7, 2.0}) {
    const double now = value({Kind::tsallis, q, 0, false}, kB);
    EXPECT_LT(now, last);
    last = now;
  }
}

// eps changes the sum of powers by about 6e-5, which is 0.6 after a division by 1e-4.
TEST(Entropy, RejectsAnIndexNearOneWithEps) {
  const auto off = [](double index) {
    const Entropy entropy{Kind::tsallis, index, 1e-5, false};
    return std::abs(value(entropy, std::vector<double>(6, 1.0 / 6)) - entropy.largest(6));
  };
  EXPECT_GT(off(1.0001), 0.5);
  EXPECT_LT(off(1.01), 0.01);
  for (const Kind kind : {Kind::tsallis, Kind::renyi})
    for (const double index : {1.0001, 0.995})
      EXPECT_THROW((Entropy{kind, index}.check("test")), UserError) << index;
  for (const double index : {0.99, 1.0, 1.01})
    EXPECT_NO_THROW((Entropy{Kind::tsallis, index}.check("test"))) << index;
  EXPECT_NO_THROW((Entropy{Kind::tsallis, 1.0001, 0}.check("test")));
  EXPECT_NO_THROW((Entropy{Kind::shannon, 1.0001}.check("test")));
}

// Renyi of order 2: -ln sum p^2 = -ln .2602.
TEST(Entropy, OfRenyiIsALogarithm) {
  EXPECT_NEAR(value({Kind::renyi, 2, 0, false}, kB), -std::log(.2602), 1e-8);
  EXPECT_NEAR(value({Kind::renyi, 2, 0, true}, kB), -std::log(.2602) / std::log(6), 1e-8);
  EXPECT_NEAR(value({Kind::renyi, 1, 0, true}, kB), .851384, 6e-7);
}

TEST(Entropy, DoesNotDependOnTheOrderOfExperts) {
  const Entropy entropy;
  EXPECT_NEAR(value(entropy, {.06, .40, .10, .25, .04, .15}), value(entropy, kB), 1e-12);
}

Tensor gradient(double index, const Tensor& logits) {
  const Tensor z = logits.clone().requires_grad_(true);
  const Entropy entropy{Kind::tsallis, index, 0, false};
  return torch::autograd::grad({entropy.of(at::softmax(z, 1)).sum()}, {z})[0];
}

TEST(Entropy, HasTheGradientsOfTheSheetAndDescentSharpens) {
  const Tensor logits = matrix({{2, 1, .5, 0, -.5, -1}});
  const std::pair<double, std::vector<double>> known[] = {
      {1.1, {-.364347, .060750, .091633, .087188, .071119, .053657}},
      {1, {-.384544, .056509, .094313, .093619, .078870, .061233}},
      {2, {-.201224, .060666, .055503, .040546, .027124, .017383}}};
  for (const auto& [index, expected] : known) {
    const Tensor found = gradient(index, logits);
    EXPECT_CLOSE(found, matrix({expected}), 6e-7);
    EXPECT_NEAR(found.sum().item<double>(), 0, 1e-12);
    EXPECT_LT(found[0][0].item<double>(), 0);  // descent raises the top logit
  }
  EXPECT_CLOSE(gradient(1.1, at::zeros({1, 6}, at::kDouble)), at::zeros({1, 6}), 1e-12);
}

// A softmax may underflow: then 0 ln 0 is 0, and no gradient is NaN.
TEST(Entropy, IsFiniteIfAProbabilityUnderflows) {
  const Tensor logits = matrix({{200, 0, -200}}, at::kFloat);
  for (const double index : {0.5, 1.0, 1.1})
    for (const double eps : {0.0, 1e-5}) {
      const Tensor z = logits.clone().requires_grad_(true);
      const Tensor h = Entropy{Kind::tsallis, index, eps, true}.of(at::softmax(z, 1)).sum();
      EXPECT_TRUE(std::isfinite(h.item<double>()));
      EXPECT_TRUE(torch::autograd::grad({h}, {z})[0].isfinite().all().item<bool>());
    }
}

}  // namespace
}  // namespace mixtune::test
