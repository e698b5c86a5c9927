// MoLA's allocations, and LoRAMoE's localized balancing in a model.
#include "moe/by_layer.h"
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

using Numbers = std::vector<int64_t>;

TEST(Mola, AllocationsFillFourQuartersOfTheLayers) {
  EXPECT_EQ(by_layer("inverted_triangle", 8, ""), (Numbers{2, 2, 4, 4, 6, 6, 8, 8}));
  EXPECT_EQ(by_layer("triangle", 4, ""), (Numbers{8, 6, 4, 2}));
  EXPECT_EQ(by_layer("hourglass", 4, ""), (Numbers{8, 2, 2, 8}));
  EXPECT_EQ(by_layer("rectangle", 4, ""), (Numbers{5, 5, 5, 5}));
  // If four does not divide the number of layers, layer l is in quarter floor(4 l / layers).
  EXPECT_EQ(by_layer("inverted_triangle", 6, ""), (Numbers{2, 2, 4, 6, 6, 8}));
  EXPECT_EQ(by_layer("3", 2, ""), (Numbers{3, 3}));
  EXPECT_EQ(by_layer("[3, 1]", 2, ""), (Numbers{3, 1}));
  EXPECT_THROW(by_layer("[3, 1]", 3, "mola.experts"), UserError);
}

TEST(Mola, InvalidAllocationsAreRejected) {
  for (const std::string text : {"0", "-1", "2.5", "[2, x]", "[]", "[1, 2", "square", ""})
    EXPECT_TRUE(experts_expected(text)) << text;
  for (const std::string text : {"4", "[2,4]", "[ 2 , 4 ]", "triangle"})
    EXPECT_FALSE(experts_expected(text)) << text;
  EXPECT_TRUE(numbers_expected("triangle"));
}

TEST(Mola, ExpertsAndRanksDifferByLayer) {
  Attached run(tiny_config("bert", 4), "mola", "r: [1, 2, 3, 4]\n");
  for (int64_t layer = 0; layer < 4; ++layer) {
    const std::string site = "bert.encoder.layer." + std::to_string(layer) + ".attention.self.key";
    const Segment* router = run.trainables().find(site + ".router.weight");
    const Segment* expert = run.trainables().find(site + ".experts.1.lora_A.weight");
    ASSERT_TRUE(router && expert);
    EXPECT_EQ(router->shape[0], 2 + 2 * layer);
    EXPECT_EQ(expert->shape[0], 1 + layer);
  }
}

// A layer with one expert requires k = 1.
TEST(Mola, TopKDiffersByLayer) {
  const std::string some = "num_experts: [1, 2, 3, 4]\n";
  Attached(tiny_config("bert", 4), "mola", some + "top_k: [1, 2, 2, 3]\n");
  EXPECT_THROW(Attached(tiny_config("bert", 4), "mola", some + "top_k: 2\n"), UserError);
  EXPECT_THROW(Attached(tiny_config("bert", 4), "mola", some + "top_k: [1, 2]\n"), UserError);
}

// For equal probabilities and top-2 of E experts, the original form has f = 1/2 for the first two
// and P = 1/E, so 1 for each of 4 layers; the pooled form with 4 experts each is E (1 1/E + 1 1/E)
// = 2.
TEST(Mola, BothFormsOfTheBalanceLossHaveTheirBalancedValue) {
  for (const auto& [yaml, expected] : {std::pair<std::string, double>{"balance: 0.5\n", 4},
                                       {"balance: 0.5\nform: pooled\nnum_experts: 4\n", 2}}) {
    Attached run(tiny_config("llama", 4), "mola", yaml + "lora_dropout: 0\n", at::kDouble);
    {
      const at::NoGradGuard no_grad;
      for (const Segment& s : run.trainables().segments())
        if (s.group == "router") run.trainables().value_of(s).zero_();
    }
    ForwardContext context = run.context(Phase::train);
    run.model->logits(pack_examples({0, 1}), context);
    EXPECT_NEAR(run.attachment->auxiliary(context).at(0).second.item<double>(), expected, 1e-10);
    EXPECT_NEAR(run.attachment->auxiliary_sum(context).item<double>(), 0.5 * expected, 1e-10);
  }
}

TEST(Mola, HasNoLossByDefault) {
  Attached run(tiny_config("llama", 4), "mola", "");
  EXPECT_TRUE(run.attachment->losses.empty());
  EXPECT_THROW(Attached(tiny_config("llama", 4), "mola", "top_k: 3\n"), UserError);
  EXPECT_THROW(Attached(tiny_config("llama", 4), "mola", "balance: 1\nform: pooled\n"), UserError);
}

TEST(Loramoe, LocalizedBalancingReadsTheExampleGroups) {
  Attached run(tiny_config("llama", 2), "loramoe",
               "num_experts: 4\nr: 2\nlora_dropout: 0\nbalance: 1\ndelta: 0.3\n");
  PackedBatch batch = pack_examples({0, 1, 2});
  const auto loss = [&] {
    ForwardContext context = run.context(Phase::train);
    run.model->logits(batch, context);
    return run.attachment->auxiliary_sum(context);
  };
  EXPECT_EQ(loss().item<double>(), 0);  // no example has a group
  batch.rows.example_group = {1, 0, 0};
  const Tensor value = loss();
  EXPECT_GT(value.item<double>(), 0);
  value.backward();
  EXPECT_GT(run.gradient("model.layers.1.mlp.down_proj.router.weight").abs().max().item<double>(),
            0);
  batch.rows.example_group = {0, 1, 1};
  EXPECT_NE(loss().item<double>(), value.item<double>());
}

}  // namespace
}  // namespace mixtune::test
