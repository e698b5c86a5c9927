// Auxiliary losses of routers worked by hand: DynMoLE's sheet 6.5, MoLA's two forms, LoRAMoE's
// variation; reductions over sites and layers, and the selection of tokens.
#include "support/routers.h"

namespace mixtune::test {
namespace {

const Routing kDynmole{.selection = select_of("strict_top_p"), .entropy_switch = EntropySwitch{}};
const std::vector<std::vector<double>> kRows = {
    {.7, .2, .05, .05}, {.1, .6, .2, .1}, {.25, .25, .25, .25}};

Routed routed(const std::vector<std::vector<double>>& rows, const Routing& routing = kDynmole) {
  return route(matrix(rows), routing);
}
double value(const std::string& name, const Options& options, const Routed& routed) {
  return loss_of(name, options, routed).item<double>();
}

// f = (.316667, .35, .15, .083333), P = (.35, .35, .166667, .133333): 4 f P = 1.077778.
TEST(LoadLoss, HasTheValueOfTheSheet) {
  EXPECT_NEAR(value("load", {{"count", "weight"}}, routed(kRows)), 1.077778, 1e-6);
}

// Hard top 2: f = (2/3, 1, 1/3, 0), so 4 f P = 2.555556; the same over slots, 2.555556 / 2.
TEST(LoadLoss, OfSelectionsIsThatOfMixtralAndSwitch) {
  const Routing top2{.selection = select_of("top_k", {{"k", "2"}}), .renormalizes = true};
  EXPECT_NEAR(value("load", {{"count", "selected"}}, routed(kRows, top2)), 2.555556, 1e-6);
  EXPECT_NEAR(value("load", {{"count", "share"}}, routed(kRows, top2)), 2.555556 / 2, 1e-6);
}

TEST(LoadLoss, IsOneInBalanceAndTheNumberOfExpertsAtWorst) {
  const std::vector<double> equal(6, 1.0 / 6), one = {0, 1, 0, 0, 0, 0};
  EXPECT_NEAR(value("load", {{"count", "weight"}}, routed({equal, equal})), 1, 1e-12);
  EXPECT_NEAR(value("load", {{"count", "weight"}}, routed({one, one})), 6, 1e-12);
}

// H = (.618848, .777979, .999704).
TEST(EntropyLoss, IsTheMeanOverTheRowsOfTheSheet) {
  const Routed r = routed(kRows);
  EXPECT_NEAR(value("entropy", {}, r), .798844, 1e-6);
  EXPECT_NEAR(.01 * value("entropy", {}, r) + .001 * value("load", {{"count", "weight"}}, r),
              .00906621, 1e-8);
}

// Sites of one layer that read the same tokens.
struct Layer {
  int64_t layer;
  std::vector<std::vector<std::vector<double>>> sites;  // [sites][tokens][experts]
};

double over(const std::string& how, const std::string& name, const std::vector<Layer>& layers) {
  SiteRouterLoss router_loss(
      choice_of(router_loss_choices(), name, {{"reduction", how}, {"weight", "1"}}), "test");
  LossStatistics table;
  std::vector<size_t> handles;
  for (const Layer& layer : layers)
    handles.push_back(router_loss.add_sites(static_cast<int64_t>(layer.sites.size()),
                                            static_cast<int64_t>(layer.sites[0][0].size()),
                                            layer.layer, table));
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto& sites = layers[i].sites;
    std::vector<std::vector<double>> rows;  // the decisions of a token are consecutive
    for (size_t t = 0; t < sites[0].size(); ++t)
      for (const auto& site : sites) rows.push_back(site[t]);
    router_loss.accumulate(handles[i],
                           routed(rows, {.selection = select_of("top_k", {{"k", "1"}})}),
                           rows_of({static_cast<int64_t>(sites[0].size())}), table);
  }
  Reducer alone;
  return router_loss.finalize(table, alone).item<double>();
}

// Two layers that specialize in opposite ways are balanced together but not separately.
TEST(Losses, CanBePooledOrReducedOverLayersOrSites) {
  const std::vector<std::vector<double>> left = {{1, 0}, {1, 0}}, right = {{0, 1}, {0, 1}},
                                         even = {{1, 0}, {0, 1}};
  const std::vector<Layer> layers = {{0, {left}}, {1, {right}}};
  EXPECT_NEAR(over("pooled", "load", layers), 1, 1e-12);
  EXPECT_NEAR(over("mean", "load", layers), 2, 1e-12);
  EXPECT_NEAR(over("sum", "load", layers), 4, 1e-12);
  EXPECT_NEAR(over("layer_sum", "load", layers), 4, 1e-12);
  // With both in one layer, the layer is balanced.
  const std::vector<Layer> one = {{0, {left, right}}, {1, {even}}};
  EXPECT_NEAR(over("layer_sum", "load", one), 2, 1e-12);
  EXPECT_NEAR(over("layer_mean", "load", one), 1, 1e-12);
  EXPECT_NEAR(over("sum", "load", one), 5, 1e-12);
  EXPECT_NEAR(over("mean", "load", one), 5.0 / 3, 1e-12);
  EXPECT_NEAR(over("pooled", "load", one), 1, 1e-12);
}

TEST(Losses, RejectPooledSitesWithUnequalNumbersOfExperts) {
  const std::vector<Layer> unequal = {{0, {{{1, 0}}}}, {1, {{{1, 0, 0}}}}};
  EXPECT_NO_THROW(over("layer_sum", "load", unequal));
  EXPECT_NO_THROW(over("mean", "load", unequal));
  EXPECT_THROW(over("pooled", "load", unequal), UserError);
  EXPECT_THROW(over("layer_mean", "load", {{0, {{{1, 0}}}}, {0, {{{1, 0, 0}}}}}), UserError);
}

TEST(Losses, OfSupervisedTokensExcludeThePrompt) {
  SequenceLayout rows = rows_of({2, 3});
  const std::vector<std::vector<double>> p = {{1, 0}, {.5, .5}, {0, 1}, {.9, .1}, {.25, .75}};
  const Options options = {{"tokens", "supervised"}};
  const auto loss = [&] { return loss_of("entropy", options, routed(p), rows).item<double>(); };
  const double all = value("entropy", {}, routed(p));
  EXPECT_NEAR(loss(), all, 1e-12);  // no sequence has a prompt
  rows.prompt = {1, 2};
  EXPECT_NEAR(loss(), value("entropy", {}, routed({p[1], p[4]})), 1e-12);
  rows.prompt = {2, 3};
  EXPECT_NEAR(loss(), all, 1e-12);  // classification: every sequence is only a prompt
}

// Experts {0, 1} belong to group 1, {2, 3} to group 0; delta .5. Sequence 0 (group 1, two tokens)
// uses
// (1, .5, .25, .25), sequence 1 (group 0, one token) (.1, .2, .3, .4), a third has no group:
// z = (1.5, .75, .125, .125; .05, .1, .45, .6), mean .4625, sum of squares 3.4275.
TEST(VariationLoss, IsTheSquaredCoefficientOfVariation) {
  SequenceLayout rows = rows_of({2, 1, 1});
  rows.example_group = {1, 0, -1};
  const Routed r =
      routed({{.5, .25, .125, .125}, {.5, .25, .125, .125}, {.1, .2, .3, .4}, {1, 0, 0, 0}},
             {.selection = select_of("all")});
  const double squares =
      1.5 * 1.5 + .75 * .75 + 2 * .125 * .125 + .05 * .05 + .01 + .45 * .45 + .36;
  const double mean = (1.5 + .75 + .25 + .15 + .45 + .6) / 8;
  const double expected = (squares - 8 * mean * mean) / 7 / (mean * mean);
  EXPECT_NEAR(loss_of("variation", {{"delta", "0.5"}}, r, rows).item<double>(), expected, 1e-8);
}

TEST(VariationLoss, IsZeroWithoutGroupsAndInBalance) {
  const Routed r =
      routed({{.25, .25, .25, .25}, {.25, .25, .25, .25}}, {.selection = select_of("all")});
  SequenceLayout rows = rows_of({1, 1});
  EXPECT_EQ(loss_of("variation", {}, r, rows).item<double>(), 0);
  rows.example_group = {1, 0};
  EXPECT_NEAR(loss_of("variation", {{"delta", "0"}}, r, rows).item<double>(), 0, 1e-12);
  EXPECT_GT(loss_of("variation", {{"delta", "0.1"}}, r, rows).item<double>(), 1e-3);
}

TEST(Losses, RejectInvalidNumbersOfExperts) {
  LossStatistics table;
  SiteRouterLoss entropy(choice_of(router_loss_choices(), "entropy", {}), "dynmole");
  EXPECT_THROW(entropy.add_sites(1, 1, 0, table), UserError);
  SiteRouterLoss variation(choice_of(router_loss_choices(), "variation", {}), "loramoe");
  EXPECT_THROW(variation.add_sites(1, 3, 0, table), UserError);
}

}  // namespace
}  // namespace mixtune::test
