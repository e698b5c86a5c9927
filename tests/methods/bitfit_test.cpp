// BitFit: only biases and the head train.
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

TEST(Bitfit, TrainsEveryBiasOfTheEncoderAndTheHead) {
  Attached run(tiny_config("bert", 2), "bitfit", "");
  for (const WeightSlot& slot : run.model->sites().weights) {
    const bool bias = slot.part == WeightPart::backbone && slot.name.ends_with(".bias");
    const bool head = slot.part == WeightPart::head;
    EXPECT_EQ(run.trainables().find(slot.name) != nullptr, bias || head) << slot.name;
  }
  EXPECT_NE(run.trainables().find("bert.embeddings.LayerNorm.bias"), nullptr);
  EXPECT_EQ(run.trainables().find("bert.pooler.dense.bias"), nullptr);
}

TEST(Bitfit, BiasesDoNotDecay) {
  Attached run(tiny_config("roberta", 1), "bitfit", "");
  for (const Segment& s : run.trainables().segments())
    EXPECT_TRUE(s.group != "base" || !s.decays) << s.name;
}

// The last norm's bias b is added to every token's hidden state, so its gradient is the sum of the
// hidden states' gradients, which are the weights here.
TEST(Bitfit, GradientOfTheLastBiasIsTheSumOfThoseOfItsOutputs) {
  Attached run(tiny_config("bert", 1), "bitfit", "", at::kDouble);
  const PackedBatch batch = pack_examples({0, 1});
  ForwardContext c = run.context();
  const Tensor weights = draw({batch.rows.tokens(), 16}, 1, "weights").to(at::kDouble);
  (run.model->last_hidden_state(batch, c) * weights).sum().backward();
  EXPECT_CLOSE(run.gradient("bert.encoder.layer.0.output.LayerNorm.bias"), weights.sum(0), 1e-10);
}

}  // namespace
}  // namespace mixtune::test
