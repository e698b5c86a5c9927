// Full fine-tuning: the model's own weights are the trainables.
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

TEST(Full, TrainsEveryWeightExceptThePoolerByDefault) {
  for (const bool pooler : {false, true}) {
    Attached run(tiny_config("bert", 2), "full", "", at::kFloat, {.train_pooler = pooler});
    for (const WeightSlot& slot : run.model->sites().weights)
      EXPECT_EQ(run.trainables().find(slot.name) != nullptr,
                pooler || slot.part != WeightPart::pooler)
          << slot.name;
  }
}

TEST(Full, MatricesAndEmbeddingsDecayBiasesAndNormsDoNot) {
  Attached run(tiny_config("roberta", 1), "full", "");
  const auto decays = [&](const std::string& name) {
    const Segment* s = run.trainables().find("roberta." + name);
    EXPECT_NE(s, nullptr) << name;
    return s && s->decays;
  };
  EXPECT_TRUE(decays("embeddings.word_embeddings.weight"));
  EXPECT_TRUE(decays("encoder.layer.0.attention.self.key.weight"));
  EXPECT_FALSE(decays("encoder.layer.0.attention.self.key.bias"));
  EXPECT_FALSE(decays("encoder.layer.0.output.LayerNorm.weight"));
}

// A token that occurs twice has the sum of two gradients, one that does not occur has none.
TEST(Full, ATokensGradientIsTheSumOverItsOccurrences) {
  Attached run(tiny_config("bert", 1), "full", "", at::kDouble);
  const PackedBatch batch = pack_sequences({{5, 6, 5}});
  ForwardContext c = run.context();
  run.model->last_hidden_state(batch, c).square().sum().backward();
  const Tensor words = run.gradient("bert.embeddings.word_embeddings.weight");
  const Tensor positions = run.gradient("bert.embeddings.position_embeddings.weight");
  EXPECT_CLOSE(words[6], positions[1], tight(words));
  EXPECT_CLOSE(words[5], positions[0] + positions[2], tight(words));
  EXPECT_EQ(words[7].abs().max().item<double>(), 0);
}

// Queries, keys and values share one buffer: each name has its own rows of the gradient.
TEST(Full, FusedLinearsHaveSegmentsOfTheirOwn) {
  Attached run(tiny_config("roberta", 1), "full", "", at::kDouble);
  const PackedBatch batch = pack_examples({0, 1});
  const Tensor weights = draw({batch.rows.tokens(), 16}, 1, "weights").to(at::kDouble);
  const auto loss = [&] {
    ForwardContext c = run.context();
    return (run.model->last_hidden_state(batch, c) * weights).sum();
  };
  loss().backward();
  const at::NoGradGuard no_grad;
  for (const std::string member : {"query", "key", "value"}) {
    const std::string name = "roberta.encoder.layer.0.attention.self." + member + ".weight";
    const Tensor entry = run.trainables().value_of(*run.trainables().find(name))[3][5];
    const double step = 1e-5;
    entry.add_(step);
    const double above = loss().item<double>();
    entry.sub_(2 * step);
    const double below = loss().item<double>();
    entry.add_(step);
    EXPECT_NEAR(run.gradient(name)[3][5].item<double>(), (above - below) / (2 * step), 1e-6)
        << member;
  }
}

}  // namespace
}  // namespace mixtune::test
