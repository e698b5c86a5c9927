// LoRA worked by hand. W is the identity and b zero; A = (1, 2), B = (3, 4)^T, scaling lora_alpha /
// r = 2; x = (1, 1): A x = 3, B A x = (9, 12), y = x + 2 * (9, 12) = (19, 25).
#include <cmath>

#include "support/hand_made_linear.h"

namespace mixtune::test {
namespace {

HandMadeLinear lora_by_hand(
    const std::string& yaml = "r: 1\nlora_alpha: 2\ntarget_modules: [value]") {
  HandMadeLinear made({{Role::value, "value", 2}}, 2);
  made.group.weight.copy_(at::eye(2, at::kDouble));
  made.group.bias.zero_();
  made.attach_method("lora", yaml);
  made.set("value.lora_A.weight", matrix({{1, 2}}));
  made.set("value.lora_B.weight", matrix({{3}, {4}}));
  return made;
}

TEST(Lora, AddsTheScaledUpdate) {
  HandMadeLinear made = lora_by_hand();
  EXPECT_SAME(made.forward(matrix({{1, 1}})), matrix({{19, 25}}));
}

// The loss is y_0 + y_1: dB = 2 * dy (A x)^T = (6, 6); dA = 2 * B^T dy x^T = 14 x^T;
// dx = W^T dy + A^T (2 * B^T dy) = (1 + 14, 1 + 28).
TEST(Lora, GradientsAreThoseOfTheDefinition) {
  HandMadeLinear made = lora_by_hand();
  const Tensor x = matrix({{1, 1}}).requires_grad_(true);
  made.forward(x).sum().backward();
  EXPECT_SAME(made.gradient("value.lora_B.weight"), matrix({{6}, {6}}));
  EXPECT_SAME(made.gradient("value.lora_A.weight"), matrix({{14, 14}}));
  EXPECT_SAME(x.grad(), matrix({{15, 29}}));
}

TEST(Lora, MergedWeightIsTheBasePlusTheScaledProduct) {
  HandMadeLinear made = lora_by_hand();
  EXPECT_SAME(made.group.adapter->merged(made.group, 0).value(),
              matrix({{1 + 6, 12}, {8, 1 + 16}}));
}

// rsLoRA: lora_alpha / sqrt(r). Four equal ranks of A = (1, 2) / 4 give the same B A.
TEST(Lora, RankStabilizedScalingDividesByTheRootOfTheRank) {
  const auto output = [](const std::string& rslora) {
    HandMadeLinear made({{Role::value, "value", 2}}, 2);
    made.group.weight.zero_();
    made.group.bias.zero_();
    made.attach_method("lora",
                       "r: 4\nlora_alpha: 2\ntarget_modules: [value]\nuse_rslora: " + rslora);
    made.set("value.lora_A.weight", matrix({{1, 2}, {1, 2}, {1, 2}, {1, 2}}) / 4);
    made.set("value.lora_B.weight", matrix({{3, 3, 3, 3}, {4, 4, 4, 4}}));
    return made.forward(matrix({{1, 1}}));
  };
  EXPECT_CLOSE(output("false"), matrix({{4.5, 6}}), 1e-12);  // 2 / 4 * (9, 12)
  EXPECT_CLOSE(output("true"), matrix({{9, 12}}), 1e-12);    // 2 / sqrt 4 * (9, 12)
}

TEST(Lora, AdaptsQueriesAndValuesWithRankEightByDefault) {
  Attached run(tiny_config("bert", 1), "lora", "");
  std::vector<std::string> adapted;
  for (const Segment& s : run.trainables().segments())
    if (s.name.ends_with("lora_A.weight")) {
      adapted.push_back(s.name);
      EXPECT_EQ(s.shape, (std::vector<int64_t>{8, 16}));
    }
  const std::string self = "bert.encoder.layer.0.attention.self.";
  EXPECT_EQ(adapted,
            (std::vector<std::string>{self + "query.lora_A.weight", self + "value.lora_A.weight"}));
}

TEST(Lora, StartsAUniformWithinOneOverTheRootOfTheWidthAndBZero) {
  Attached run(tiny_config("roberta", 1), "lora", "");
  const auto& t = run.trainables();
  const std::string query = "roberta.encoder.layer.0.attention.self.query";
  const Tensor a = t.value_of(*t.find(query + ".lora_A.weight"));
  EXPECT_LE(a.abs().max().item<float>(), 0.25);  // 1 / sqrt(16)
  EXPECT_NEAR(a.std().item<float>(), 0.25 / std::sqrt(3.0), 0.03);
  EXPECT_EQ(t.value_of(*t.find(query + ".lora_B.weight")).abs().max().item<float>(), 0);
}

TEST(Lora, InitialValuesDependOnTheSeedAndTheNameAlone) {
  const auto first = [](RandomKey seed, const std::string& targets) {
    Attached run(tiny_config("bert", 1), "lora", "target_modules: " + targets, at::kFloat,
                 {.seed = seed});
    return run.trainables()
        .value_of(*run.trainables().find("bert.encoder.layer.0.attention.self.value.lora_A.weight"))
        .clone();
  };
  EXPECT_SAME(first(1, "[value]"), first(1, "[query, key, value]"));
  EXPECT_FALSE(at::equal(first(1, "[value]"), first(2, "[value]")));
}

TEST(Lora, LayersToTransformSelectsTheLayers) {
  Attached run(tiny_config("bert", 3), "lora", "layers_to_transform: [1]");
  for (const Segment& s : run.trainables().segments())
    EXPECT_TRUE(s.group == "head" || s.name.find("layer.1.") != std::string::npos) << s.name;
  EXPECT_THROW(Attached(tiny_config("bert", 3), "lora", "layers_to_transform: [3]"), UserError);
}

// LoRA+: B has a larger learning rate than A.
TEST(Lora, LoraPlusGivesBItsOwnLearningRate) {
  Attached run(tiny_config("bert", 1), "lora", "loraplus_lr_ratio: 16");
  for (const Segment& s : run.trainables().segments()) {
    const bool is_down = s.name.ends_with(".lora_A.weight");
    if (is_down || s.name.ends_with(".lora_B.weight")) {
      EXPECT_EQ(s.group, is_down ? "adapter" : "adapter-up");
    }
  }
  EXPECT_EQ(run.attachment->groups.at("adapter-up").learning_rate_ratio, 16);
  EXPECT_TRUE(Attached(tiny_config("bert", 1), "lora", "").attachment->groups.empty());
}

// A bias c on B: y = x + 2 * (9 + c_0, 12 + c_1); its gradient is the scaling.
TEST(Lora, ABiasOnBIsScaledLikeTheUpdate) {
  HandMadeLinear made =
      lora_by_hand("r: 1\nlora_alpha: 2\ntarget_modules: [value]\nlora_bias: true");
  made.set("value.lora_B.bias", at::tensor({1.0, -1.0}));
  const Tensor y = made.forward(matrix({{1, 1}}));
  EXPECT_SAME(y, matrix({{21, 23}}));
  y.sum().backward();
  EXPECT_SAME(made.gradient("value.lora_B.bias"), at::tensor({2.0, 2.0}));
  EXPECT_SAME(*made.group.adapter->merged_bias(made.group, 0), at::tensor({2.0, -2.0}));
}

TEST(Lora, TrainsTheBiasesOfAdaptedLinearsAlone) {
  HandMadeLinear made({{Role::query, "self.query", 2}, {Role::value, "self.value", 2}}, 2);
  const Tensor before = made.group.bias.clone();
  made.attach_method("lora", "r: 1\ntarget_modules: [value]\nbias: lora_only");
  EXPECT_SAME(made.value("self.value.base_layer.bias"), before.narrow(0, 2, 2));
  made.set("self.value.base_layer.bias", at::tensor({10.0, 20.0}));
  const Tensor y = made.forward(matrix({{0, 0}, {0, 0}}));
  EXPECT_SAME(y.select(0, 0), at::cat({before.narrow(0, 0, 2), at::tensor({10.0, 20.0})}));
  y.sum().backward();
  EXPECT_SAME(made.gradient("self.value.base_layer.bias"), at::tensor({2.0, 2.0}));
  EXPECT_SAME(made.group.bias, before);
}

TEST(Lora, RejectsLoraOnlyWithoutBiases) {
  ModelConfig c = tiny_config("llama", 1);
  c.decoder->attention_biased = false;
  try {
    Attached(c, "lora", "bias: lora_only");
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("no adapted linear layer has a bias"),
              std::string::npos);
  }
}

// GPT-2's c_attn is one module with one A; ranges of its members give the same columns.
TEST(Lora, AFusedModuleThatIsNamedHasOneUpdate) {
  HandMadeLinear made({{Role::query, "attn.c_attn.query", 2},
                       {Role::key, "attn.c_attn.key", 2},
                       {Role::value, "attn.c_attn.value", 2}},
                      3);
  made.group.fused = "attn.c_attn";
  made.attach_method("lora", "r: 2\ntarget_modules: [c_attn]");
  perturb(made.attachment->trainables);
  EXPECT_EQ(made.value("attn.c_attn.lora_A.weight").sizes(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(made.value("attn.c_attn.lora_B.weight").sizes(), (std::vector<int64_t>{6, 2}));
  const Tensor x = draw({4, 3}, 1, "x").to(at::kDouble);
  const Tensor whole = made.forward(x);
  EXPECT_CLOSE(made.forward(x, {0, 1}), whole.narrow(1, 0, 2), 1e-12);
  EXPECT_CLOSE(made.forward(x, {1, 3}), whole.narrow(1, 2, 4), 1e-12);
  const Tensor merged = at::cat({*made.group.adapter->merged(made.group, 0),
                                 *made.group.adapter->merged(made.group, 1),
                                 *made.group.adapter->merged(made.group, 2)});
  EXPECT_CLOSE(at::linear(x, merged, made.group.bias), whole, 1e-12);
  made.forward(x, {1, 3}).sum().backward();
  EXPECT_CLOSE(made.gradient("attn.c_attn.lora_B.weight").narrow(0, 0, 2), at::zeros({2, 2}), 0);
}

TEST(Lora, DoesNotAdaptExcludedModules) {
  Attached run(tiny_config("bert", 2), "lora",
               "target_modules: [query]\nexclude_modules: ['layer.1.attention.self.query']");
  EXPECT_EQ(run.trainables().find("bert.encoder.layer.1.attention.self.query.lora_A.weight"),
            nullptr);
  EXPECT_NE(run.trainables().find("bert.encoder.layer.0.attention.self.query.lora_A.weight"),
            nullptr);
  EXPECT_THROW(Attached(tiny_config("bert", 2), "lora", "exclude_modules: [quary]"), UserError);
}

}  // namespace
}  // namespace mixtune::test
