// Selection of experts: the masks of DynMoLE's sheet (6.3), ties, limits, invalid settings.
#include "support/routers.h"

namespace mixtune::test {
namespace {

Routing dynmole(const std::string& rule, double p = .75, int64_t keep = 2, double threshold = .9) {
  return {.selection =
              select_of(rule, {{"p", std::to_string(p)}, {"keep_top_k", std::to_string(keep)}}),
          .entropy_switch = EntropySwitch{{}, threshold}};
}

Routed routed(const std::vector<double>& p, const Routing& routing) {
  return route(matrix({p}, at::kFloat), routing);
}
std::vector<int64_t> kept(const std::vector<double>& p, const Routing& routing) {
  const Tensor numbers = routed(p, routing).mask[0].nonzero().view({-1});
  return {numbers.data_ptr<int64_t>(), numbers.data_ptr<int64_t>() + numbers.numel()};
}
size_t active(const std::vector<double>& p, const Routing& routing) {
  return kept(p, routing).size();
}
std::vector<double> equal(size_t n) {
  return std::vector<double>(n, 1.0 / static_cast<double>(n));
}

using Kept = std::vector<int64_t>;
const Kept kAll = {0, 1, 2, 3, 4, 5};

TEST(Routing, SelectsTheExpertsOfTheSheet) {
  struct Row {
    std::vector<double> p;
    Kept prefix, top_p;
    double prefix_sum, top_p_sum;
  };
  const Tensor soft = at::softmax(matrix({{2, 1, .5, 0, -.5, -1}}), 1);
  const std::vector<double> softmax(soft.data_ptr<double>(), soft.data_ptr<double>() + 6);
  const Row rows[] = {{kA, {0, 1}, {0, 1}, .90, .90},
                      {kB, {0, 1}, {0, 1, 2}, .65, .80},
                      {{.06, .40, .10, .25, .04, .15}, {1, 3}, {1, 3, 5}, .65, .80},
                      {kC, kAll, kAll, 1, 1},
                      {kD, {0, 1}, {0, 1}, .98, .98},
                      {equal(6), kAll, kAll, 1, 1},
                      {softmax, {0, 1}, {0, 1, 2}, .736125, .856202}};
  for (const Row& row : rows) {
    EXPECT_EQ(kept(row.p, dynmole("strict_top_p")), row.prefix);
    EXPECT_EQ(kept(row.p, dynmole("top_p")), row.top_p);
    EXPECT_NEAR(routed(row.p, dynmole("strict_top_p")).weights.sum().item<double>(), row.prefix_sum,
                1e-6);
    EXPECT_NEAR(routed(row.p, dynmole("top_p")).weights.sum().item<double>(), row.top_p_sum, 1e-6);
  }
}

TEST(Routing, AThresholdOfOneSwitchesTheEntropySwitchOff) {
  for (const auto& [n, prefix, top_p] :
       {std::tuple<size_t, size_t, size_t>{6, 4, 5}, {8, 6, 6}, {4, 3, 3}}) {
    EXPECT_EQ(active(equal(n), dynmole("strict_top_p", .75, 2, 1)), prefix) << n;
    EXPECT_EQ(active(equal(n), dynmole("top_p", .75, 2, 1)), top_p) << n;
  }
}

TEST(Routing, ATinyThresholdSelectsAllUnlessATokenIsCertain) {
  EXPECT_EQ(kept(kA, dynmole("strict_top_p", .75, 2, 1e-6)), kAll);
  EXPECT_EQ(kept({0, 0, 1, 0, 0, 0}, dynmole("strict_top_p", .75, 2, 1e-6)), (Kept{0, 2}));
}

TEST(Routing, LimitsOfTheBudget) {
  EXPECT_EQ(kept(kB, dynmole("strict_top_p", 1)), kAll);
  EXPECT_EQ(kept(kB, dynmole("top_p", 1)), kAll);
  EXPECT_EQ(kept(kB, dynmole("strict_top_p", .75, 6)), kAll);
  EXPECT_EQ(kept(kB, dynmole("strict_top_p", .001)), (Kept{0, 1}));
  // .30 + .25 + .20 is exactly .75 in fp32: within the budget.
  EXPECT_EQ(kept({.30, .25, .20, .10, .08, .07}, dynmole("strict_top_p", .75, 2, 1)),
            (Kept{0, 1, 2}));
}

TEST(Routing, EqualProbabilitiesSelectTheLowestIndices) {
  const Routing top2{.selection = select_of("top_k", {{"k", "2"}})};
  EXPECT_EQ(kept(equal(8), top2), (Kept{0, 1}));
  EXPECT_EQ(kept({.1, .3, .3, .3}, top2), (Kept{1, 2}));
  EXPECT_EQ(kept(equal(6), dynmole("strict_top_p", .4, 2, 1)), (Kept{0, 1}));
}

// The probability of the top expert, the rest equal, at which the entropy crosses .9.
TEST(Routing, SwitchesAtTheProbabilitiesOfTheSheet) {
  for (const auto& [n, a] : {std::pair<size_t, double>{4, .49010}, {6, .41677}, {8, .37598}}) {
    const auto two_levels = [n = n](double top) {
      std::vector<double> p(n, (1 - top) / static_cast<double>(n - 1));
      p[0] = top;
      return p;
    };
    EXPECT_EQ(active(two_levels(a - 2e-4), dynmole("strict_top_p")), n) << n;
    EXPECT_LT(active(two_levels(a + 2e-4), dynmole("strict_top_p")), n) << n;
  }
}

TEST(Routing, RenormalizedWeightsSumToOneLikeThoseOfAllExperts) {
  Routing routing = dynmole("strict_top_p");
  routing.renormalizes = true;
  EXPECT_NEAR(routed(kB, routing).weights.sum().item<double>(), 1, 1e-6);
  EXPECT_CLOSE(routed(kC, routing).weights, matrix({kC}), 1e-6);
  const Routing top2{.selection = select_of("top_k", {{"k", "2"}}), .renormalizes = true};
  EXPECT_CLOSE(routed(kB, top2).weights, matrix({{.4 / .65, .25 / .65, 0, 0, 0, 0}}), 1e-6);
}

// softmax(s / t) of (2, 0, -2).
TEST(Scoring, SoftmaxDividesScoresByItsTemperature) {
  const Tensor scores = matrix({{2, 0, -2}});
  const auto shares = [&](const std::string& temperature) {
    return make_scoring(choice_of(scoring_choices(), "softmax", {{"temperature", temperature}}))
        ->of(scores);
  };
  EXPECT_CLOSE(shares("1"), matrix({{.866813, .117310, .015876}}), 1e-6);
  EXPECT_CLOSE(shares("2"), matrix({{.665241, .244728, .090031}}), 1e-6);
}

// Values such as 1 / (1 + e^-1) and 1/2, each independent of the others.
TEST(Scoring, SigmoidWeightsAreIndependent) {
  const auto sigmoid = make_scoring(choice_of(scoring_choices(), "sigmoid", {}));
  EXPECT_CLOSE(sigmoid->of(matrix({{1, 0, -3}})), matrix({{.731059, .5, .047426}}), 1e-6);
  EXPECT_FALSE(sigmoid->gives_shares());
  Routing routing{.selection = select_of("top_k", {{"k", "1"}})};
  routing.scoring = make_scoring(choice_of(scoring_choices(), "sigmoid", {}));
  const Routed r = route_scores(matrix({{1, 0, -3}}), routing);
  EXPECT_CLOSE(r.weights, matrix({{.731059, 0, 0}}), 1e-6);
  EXPECT_SAME(r.logits, matrix({{1, 0, -3}}));
}

TEST(Routing, AListOfKHasOneNumberPerLayer) {
  const Routing routing{.selection = select_of("top_k", {{"k", "[1, 3]"}})};
  const auto count = [&](int64_t layer) {
    return active(kA, routing.of_layer(layer, 2, "mixture"));
  };
  EXPECT_EQ(count(0), 1);
  EXPECT_EQ(count(1), 3);
  EXPECT_THROW(routing.of_layer(0, 3, "mixture"), UserError);
}

// The weights of selected experts are softmax probabilities, and the mask is a constant.
TEST(Routing, GradientsReachTheLogitsOfExpertsThatWereNotSelected) {
  const Tensor z = matrix({{2, 1, .5, 0, -.5, -1}}).requires_grad_(true);
  const Routed r = route(at::softmax(z, 1), dynmole("strict_top_p"));
  const Tensor gradient = torch::autograd::grad({r.weights.sum()}, {z})[0];
  const Tensor p = r.probabilities.detach(), kept_mass = r.weights.detach().sum();
  EXPECT_CLOSE(gradient, p * (r.mask - kept_mass), 1e-12);
}

std::string mistake(const std::function<void()>& body) {
  try {
    body();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no mistake";
}
bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Routing, ABudgetIsAProbability) {
  for (const std::string rule : {"strict_top_p", "top_p"}) {
    for (const std::string p : {"0", "1.5"}) EXPECT_THROW(select_of(rule, {{"p", p}}), UserError);
    EXPECT_NO_THROW(select_of(rule, {{"p", "1"}}));
  }
}

TEST(Routing, RejectsInvalidSettings) {
  const auto check = [](const Routing& routing, int64_t experts) {
    return mistake([&] { routing.check(experts, "mixture"); });
  };
  EXPECT_TRUE(says(check(dynmole("strict_top_p", .75, 9), 6), "mixture: selects 9 experts"));
  EXPECT_TRUE(says(check({.selection = select_of("top_k", {{"k", "7"}})}, 6),
                   "mixture: selects 7 experts per token; a layer has 6"));
  EXPECT_TRUE(says(check(dynmole("strict_top_p", .75, 1), 1), "at least 2 experts"));
  EXPECT_TRUE(says(check(dynmole("strict_top_p", .75, 2, 1.2), 6),
                   "mixture: the entropy threshold is 1.2"));
  // Shannon's entropy of 6 experts is at most ln 6 = 1.7918, so a threshold of 1.8, as in the
  // authors' code of 2024-09-12, is never exceeded.
  Routing raw = dynmole("strict_top_p", .75, 2, 1.8);
  raw.entropy_switch->entropy = {Entropy::Kind::shannon, 1, 0, false};
  EXPECT_TRUE(says(check(raw, 6), "no entropy is above 1.7918 with 6 experts"));
  raw.entropy_switch->threshold = 1.7;
  EXPECT_EQ(check(raw, 6), "no mistake");
  EXPECT_EQ(kept(equal(6), raw), kAll);
}

}  // namespace
}  // namespace mixtune::test
