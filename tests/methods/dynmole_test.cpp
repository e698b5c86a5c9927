// DynMoLE by hand (6.4 of its sheet), its limits, and mistakes in its options.
#include "support/hand_made_linear.h"

namespace mixtune::test {
namespace {

// x = (1, 2), W = 0, three experts of rank 1 with scaling 2, A rows (1, 0), (0, 1), (1, 1), B = 1,
// 2, -1, logits (1, 0, -1): expert outputs 2, 8, -6.
struct ByHand {
  explicit ByHand(const std::string& yaml, const std::string& method = "dynmole")
      : made({{Role::ffn_up, "up", 1}}, 2) {
    made.group.weight.zero_();
    made.group.bias.zero_();
    made.attach_method(method, "num_experts: 3\nr: 1\nlora_alpha: 2\nlora_dropout: 0\n" + yaml);
    const double a[3][2] = {{1, 0}, {0, 1}, {1, 1}}, b[3] = {1, 2, -1};
    for (int e = 0; e < 3; ++e) {
      const std::string name = "up.experts." + std::to_string(e);
      made.set(name + ".lora_A.weight", matrix({{a[e][0], a[e][1]}}));
      made.set(name + ".lora_B.weight", matrix({{b[e]}}));
    }
    // Router rows are multiples of (1, 2) / 5, so that scores are 1, 0, -1.
    made.set("up.router.weight", matrix({{.2, .4}, {0, 0}, {-.2, -.4}}));
  }

  double y() { return made.forward(matrix({{1, 2}})).item<double>(); }
  // dy / dz, from the router's gradient: its rows are dz times x.
  Tensor dz() {
    made.attachment->trainables.zero_gradients();
    made.forward(matrix({{1, 2}})).sum().backward();
    return made.gradient("up.router.weight").select(1, 0);
  }

  HandMadeLinear made;
};

const std::string kSparse = "top_p: 0.01\n";  // selects only the first keep_top_k

TEST(Dynmole, TopTwoByHand) {
  ByHand hand(kSparse + "keep_top_k: 2\n");
  EXPECT_NEAR(hand.y(), 3.288310, 6e-7);
  EXPECT_CLOSE(hand.dz(), matrix({{-.857036, 1.153085, -.296048}})[0], 6e-7);
}

TEST(Dynmole, TopOneByHand) {
  ByHand hand(kSparse + "keep_top_k: 1\n");
  EXPECT_NEAR(hand.y(), 1.330482, 6e-7);
  EXPECT_CLOSE(hand.dz(), matrix({{.445391, -.325607, -.119784}})[0], 6e-7);
  // A masked expert has no gradient, its router row has one.
  EXPECT_EQ(hand.made.gradient("up.experts.1.lora_A.weight").abs().max().item<double>(), 0);
  EXPECT_EQ(hand.made.gradient("up.experts.2.lora_B.weight").abs().max().item<double>(), 0);
}

TEST(Dynmole, SoftByHand) {
  ByHand hand("entropy_threshold: 0.7\n");  // H = .749115
  EXPECT_NEAR(hand.y(), 2.748126, 6e-7);
  EXPECT_CLOSE(hand.dz(), matrix({{-.497684, 1.285283, -.787599}})[0], 6e-7);
  EXPECT_NEAR(ByHand("entropy_threshold: 0.749\n").y(), 2.748126, 6e-7);
  EXPECT_NEAR(ByHand("entropy_threshold: 0.7492\ntop_p: 0.01\n").y(), 3.288310, 6e-7);
}

TEST(Dynmole, RenormalizedByHand) {
  EXPECT_NEAR(ByHand(kSparse + "renormalize: true\n").y(), 3.613649, 6e-7);
}

TEST(Dynmole, WithATinyThresholdIsLoramoeAndSparseIsMolaUpToTheSum) {
  EXPECT_NEAR(ByHand("entropy_threshold: 1e-6\n").y(), ByHand("", "loramoe").y(), 1e-12);
  EXPECT_NEAR(ByHand(kSparse + "entropy_threshold: 1\nrenormalize: true\n").y(),
              ByHand("target_modules: [ffn_up]\ntop_k: 2\n", "mola").y(), 1e-12);
}

// With B = 0 the output is unchanged; the task loss gives gradients to B only, the auxiliary losses
// to the routers.
TEST(Dynmole, AtTheStartTheTaskLossReachesOnlyB) {
  HandMadeLinear made({{Role::ffn_up, "up", 4}}, 6);
  made.attach_method("dynmole", "num_experts: 4\nr: 2\nlora_dropout: 0\n");
  const Tensor x = draw({9, 6}, 1, "x").to(at::kDouble);
  ForwardContext context = made.context(Phase::train);
  const Tensor y = made.forward(x, context);
  EXPECT_SAME(y, made.group.base(x, made.group.all()));
  y.sum().backward();
  EXPECT_EQ(made.gradient("up.experts.0.lora_A.weight").abs().max().item<double>(), 0);
  EXPECT_GT(made.gradient("up.experts.0.lora_B.weight").abs().max().item<double>(), 0);
  EXPECT_EQ(made.gradient("up.router.weight").abs().max().item<double>(), 0);
  ForwardContext again = made.context(Phase::train);
  made.forward(x, again);
  made.attachment->auxiliary_sum(again).backward();
  EXPECT_GT(made.gradient("up.router.weight").abs().max().item<double>(), 0);
}

// Losses of the last layer count every token, although a classifier reads only the first.
TEST(Dynmole, LossesCountRowsThatNoHeadReads) {
  for (const std::string model : {"bert", "llama"}) {
    Attached run(tiny_config(model, 2), "dynmole", "num_experts: 3\nr: 2\nlora_dropout: 0\n");
    ForwardContext context = run.context(Phase::train);
    const PackedBatch batch = pack_examples({0, 1, 2});
    RoutingRecord record;
    context.record = &record;
    run.model->logits(batch, context);
    EXPECT_FALSE(record.experts.empty());
    for (const auto& [site, counts] : record.experts)
      EXPECT_EQ(counts.tokens, batch.rows.tokens()) << site;
  }
}

TEST(Dynmole, RejectsOptionsThatDoNotFit) {
  const auto mistake = [](const std::string& yaml) -> std::string {
    try {
      Attached run(tiny_config("llama", 2), "dynmole", yaml);
    } catch (const UserError& error) {
      return error.what();
    }
    return "none";
  };
  const auto expect = [&](const std::string& yaml, const std::string& key,
                          const std::string& says) {
    const std::string found = mistake(yaml);
    EXPECT_NE(found.find(key), std::string::npos) << found;
    EXPECT_NE(found.find(says), std::string::npos) << found;
  };
  expect("num_experts: 1\n", "dynmole", "selects 2 experts per token; a layer has 1");
  expect("num_experts: 1\nkeep_top_k: 1\n", "dynmole.num_experts", "at least 2");
  expect("keep_top_k: 9\n", "dynmole", "selects 9 experts per token; a layer has 6");
  expect("normalize_entropy: false\nentropy_threshold: 5\n", "dynmole: the entropy threshold is 5",
         "1.6404");
  expect("entropy_threshold: 0\n", "threshold", "expected");
  expect("entropy_threshold: 1.5\n", "threshold", "at most 1");
  expect("top_p: 1.5\n", "top_p", "expected");
  expect("entropy_index: 2.5\n", "index", "expected");
  expect("entropy_index: 1.0001\n", "dynmole: the index of the entropy is 1.0001",
         "or at least 0.01 away");
  expect("entropy_index: 1.0001\nentropy_threshold: 1\n", "dynmole: the index",
         "expected an index of 1");  // of the entropy loss
  expect("num_experts: [6, 6, 6]\n", "dynmole.num_experts", "3 numbers; the model has 2 layers");
  expect("num_experts: many\n", "experts", "triangle");
  expect("target_modules: [ffn_upp]\n", "dynmole.target_modules", "ffn_up");
  expect("num_experts: [2, 4]\n", "dynmole: the loss",
         "pools sites that have 2 and 4 experts");
  // Layers without experts do not enter the losses.
  EXPECT_EQ(mistake("num_experts: [1, 6]\nlayers_to_transform: [1]\n"), "none");
  EXPECT_EQ(mistake("num_experts: [2, 4]\nreduction: layer_mean\nr: [3, 2]\n"), "none");
}

}  // namespace
}  // namespace mixtune::test
