#include "cli/routing_chart.h"

#include <cmath>

#include "run_cli.h"
#include "support/paths.h"
#include "tensor/tensor_file.h"
#include "train/routing_report.h"

namespace mixtune::test {
namespace {

TEST(RoutingChart, ShowsSharesTheOwnLayerAndTheEntropy) {
  const std::string chart = routing_chart({{{0, 90, 10}, {100, 0, 0}, {0, 1, 999}, {0, 0, 0}},
                                           {std::log(3.0), 0, 0.5 * std::log(3.0), std::nan("")}});
  EXPECT_TRUE(says(chart, "██ 90")) << chart;
  EXPECT_TRUE(says(chart, "░░ 10")) << chart;
  EXPECT_TRUE(says(chart, "██100")) << chart;
  EXPECT_TRUE(says(chart, "<1")) << chart;
  EXPECT_TRUE(says(chart, "100 %")) << chart;
  EXPECT_TRUE(says(chart, " 50 %")) << chart;
  EXPECT_TRUE(says(chart, "not mixed")) << chart;
}

TEST(RoutingChart, RowsAreEquallyWide) {
  const std::string chart = routing_chart({{{50, 50}, {1, 99}}, {0.1, 0.2}});
  std::vector<size_t> widths;
  for (size_t at = chart.find("  layer"); at < chart.size();) {
    const size_t end = chart.find('\n', at);
    size_t columns = 0;
    for (; at < end; ++at) columns += (static_cast<unsigned char>(chart[at]) & 0xC0) != 0x80;
    widths.push_back(columns);
    at = end + 1;
  }
  ASSERT_EQ(widths.size(), 2u);
  EXPECT_EQ(widths[0], widths[1]) << chart;
}

TEST(RoutingChart, ReadsTheFileOfARun) {
  const TemporaryFolder folder;
  EXPECT_FALSE(read_routing(folder.path()).has_value());
  write_tensors(folder / "routing.safetensors",
                {{"choices", at::tensor({3, 1, 0, 4}, at::kLong).view({2, 2})},
                 {"entropy", at::tensor({0.25, 0.5}, at::kFloat)}});
  const auto counts = read_routing(folder.path());
  ASSERT_TRUE(counts.has_value());
  EXPECT_EQ(counts->choices, (std::vector<std::vector<int64_t>>{{3, 1}, {0, 4}}));
  EXPECT_EQ(counts->entropy, (std::vector<double>{0.25, 0.5}));
}

TEST(RoutingChart, ShowsTheExpertsOfEachLinearInTheOrderOfLayers) {
  RoutingRecord record;
  record.experts["layers.10.up"] = {
      .load = at::tensor({4.0, 1.0}, at::kDouble), .entropy = 2, .tokens = 4, .all_experts = 1};
  record.experts["layers.2.up"] = {.load = at::tensor({0.0, 2.0, 2.0}, at::kDouble),
                                   .entropy = 1,
                                   .tokens = 2,
                                   .all_experts = 0};
  const TemporaryFolder folder;
  write_tensors(folder / "routing.safetensors", routing_tensors(record));
  const auto counts = read_routing(folder.path());
  ASSERT_TRUE(counts.has_value());
  ASSERT_EQ(counts->experts.size(), 2u);
  EXPECT_EQ(counts->experts[0].site, "layers.2.up");
  EXPECT_EQ(counts->experts[0].load, (std::vector<double>{0, 2, 2}));
  EXPECT_EQ(counts->experts[1].entropy, 0.5);
  EXPECT_EQ(counts->experts[1].all_experts, 0.25);
  const std::string chart = routing_chart(*counts);
  EXPECT_TRUE(says(chart, "layers.10.up  1.25")) << chart;  // five uses of four tokens
  EXPECT_TRUE(says(chart, "layers.2.up   2.00")) << chart;
  EXPECT_TRUE(says(chart, " 50 %       25 %")) << chart;
  EXPECT_TRUE(says(chart, "██100")) << chart;
  EXPECT_TRUE(says(chart, "▒▒ 25")) << chart;
}

TEST(RoutingReport, HasTheNumberOfExpertsPerTokenInOneLine) {
  RoutingRecord record;
  EXPECT_EQ(routing_line(record), "");
  record.experts["up"] = {
      .load = at::tensor({4.0, 1.0}, at::kDouble), .entropy = 2, .tokens = 4, .all_experts = 1};
  EXPECT_EQ(routing_line(record),
            "experts: 1.25 of 2 a token, entropy 0.50, 25 % of tokens sent to all");
}

TEST(RoutingChart, RejectsAFileOfAnotherShape) {
  const TemporaryFolder folder;
  write_tensors(folder / "routing.safetensors", {{"choices", at::zeros({3})}});
  EXPECT_THROW(read_routing(folder.path()), UserError);
  write_tensors(folder / "routing.safetensors", {{"up.load", at::zeros({3})}});
  EXPECT_THROW(read_routing(folder.path()), UserError);
}

}  // namespace
}  // namespace mixtune::test
