// MixLoRA on whole models: trained tensors, published size, losses, and bad input. The arithmetic
// is tested in tests/moe/feed_forward_experts_test.cpp.
#include "support/hand_made_feed_forward.h"

namespace mixtune::test {
namespace {

std::string error_of(const std::string& yaml) {
  try {
    Attached(tiny_config("llama", 2), "mixlora", yaml);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

// LLaMA-2-7B at the defaults has 203,423,744 trainable parameters in 32 equal layers: the attention
// 16 * (6 * 4096 + 2 * 4096) in each, the experts 8 * 16 * 3 * (4096 + 11008), the router 8 * 4096.
TEST(MixLora, HasThePublishedNumberOfParameters) {
  ModelConfig c = tiny_config("llama", 1);
  c.hidden_size = 4096;
  c.intermediate_size = 11008;
  c.heads = 32;
  c.decoder->head_width = c.decoder->rotary.width = 128;
  c.decoder->key_value_heads = 32;
  c.decoder->attention_biased = c.decoder->output_biased = c.decoder->feed_forward_biased = false;
  const auto model =
      make_model(c, HeadKind::last_token, 2, at::TensorOptions(at::kFloat).device(at::kMeta));
  const auto attachment =
      attach(specs_from("mixlora", "", {1, false}), model->sites(), {.train_head = false});
  EXPECT_EQ(attachment->trainables.count() * 32, 203423744);
}

TEST(MixLora, NamesItsTensorsByModuleAndExpert) {
  Attached run(tiny_config("gpt2", 2), "mixlora", "num_experts: 3");
  for (const char* name :
       {"transformer.h.1.mlp.router.weight", "transformer.h.1.mlp.c_fc.experts.2.lora_A.weight",
        "transformer.h.1.mlp.c_proj.experts.0.lora_B.weight",
        "transformer.h.0.attn.c_attn.query.lora_A.weight"})
    EXPECT_NE(run.trainables().find(name), nullptr) << name;
  EXPECT_EQ(run.trainables().find("transformer.h.0.mlp.c_fc.lora_A.weight"), nullptr);
}

TEST(MixLora, AdaptsOnlyTheSelectedLinearsOfTheAttention) {
  Attached run(tiny_config("bert", 1), "mixlora", "attention_target_modules: []");
  for (const Segment& s : run.trainables().segments())
    EXPECT_EQ(s.name.find("attention"), std::string::npos) << s.name;
}

// With an even router every expert has probability 1 / N and the balance loss is k.
TEST(MixLora, TheBalanceLossOfAnEvenRouterIsK) {
  for (const int64_t k : {1, 2, 3}) {
    Attached run(tiny_config("llama", 2), "mixlora",
                 "num_experts: 4\nrouter_std: 0\ntop_k: " + std::to_string(k), at::kDouble);
    ForwardContext c = run.context();
    run.model->logits(pack_examples({0, 1, 2}), c);
    const auto losses = run.attachment->auxiliary(c);
    ASSERT_EQ(losses.size(), 1u);
    EXPECT_NEAR(losses[0].second.item<double>(), static_cast<double>(k), 1e-10);
  }
}

TEST(MixLora, SwitchAlsoHasAZLoss) {
  Attached run(tiny_config("llama", 2), "mixlora", "routing: switch\nnum_experts: 4\nrouter_std: 0",
               at::kDouble);
  ForwardContext c = run.context();
  run.model->logits(pack_examples({0, 1, 2}), c);
  const auto losses = run.attachment->auxiliary(c);
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_NEAR(losses[0].second.item<double>(), 1, 1e-10);
  EXPECT_NEAR(losses[1].second.item<double>(), std::pow(std::log(4), 2), 1e-10);
}

// A classifier reads one token per sequence; the losses of the last layer still count all tokens.
TEST(MixLora, LossesCountEveryTokenOfEveryLayerInTraining) {
  Attached run(tiny_config("bert", 2), "mixlora", "num_experts: 4");
  const PackedBatch batch = pack_examples({0, 1, 2});
  ForwardContext c = run.context(Phase::train);
  const Tensor training = run.model->logits(batch, c);
  for (const int64_t site : {0, 1})
    EXPECT_EQ(c.loss_statistics.sums(site, run.alone)[8].item<double>(),
              static_cast<double>(batch.rows.tokens()));
}

TEST(MixLora, RecordsTheLoadOfTheExperts) {
  Attached run(tiny_config("bert", 2), "mixlora", "num_experts: 4");
  RoutingRecord record;
  ForwardContext c = run.context(Phase::train);
  c.record = &record;
  const PackedBatch batch = pack_examples({0, 1, 2});
  run.model->logits(batch, c);
  const ExpertRecord& site = record.experts.at("bert.encoder.layer.0");
  EXPECT_EQ(site.tokens, batch.rows.tokens());
  EXPECT_EQ(site.load.sum().item<double>(), 2.0 * static_cast<double>(batch.rows.tokens()));
}

TEST(MixLora, RejectsInvalidOptions) {
  EXPECT_NE(error_of("top_k: 9").find("top_k is 9; expected 1 to 8 (num_experts)"),
            std::string::npos)
      << error_of("top_k: 9");
  EXPECT_NE(error_of("routing: dynamic\ntop_p: 0").find("p is 0"), std::string::npos);
  EXPECT_NE(
      error_of("routing: dynamic\ntop_p: 1.5").find("p is 1.5; expected above 0 and at most 1"),
      std::string::npos)
      << error_of("routing: dynamic\ntop_p: 1.5");
  EXPECT_NE(error_of("routing: swich").find("switch"), std::string::npos);
  EXPECT_NE(error_of("layers_to_transform: [2]")
                .find("mixlora.layers_to_transform: names layer 2; the model has layers 0 to 1"),
            std::string::npos);
  EXPECT_NE(error_of("layers_to_transform: []").find("mixlora.layers_to_transform: is []"),
            std::string::npos);
  EXPECT_NE(
      error_of("attention_target_modules: [ffn_up]").find("another update already adapts a linear"),
      std::string::npos);
  EXPECT_NE(error_of("attention_target_modules: [qeury]").find("mixlora.attention.target_modules"),
            std::string::npos);
}

}  // namespace
}  // namespace mixtune::test
