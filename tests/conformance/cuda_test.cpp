// Every registered method on every model type on a CUDA device: logits, losses and gradients of a
// training step with dropout equal those of the CPU. Skipped with a message without a device.
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

PackedBatch on_device(PackedBatch batch, const at::Device& device) {
  for (Tensor* t :
       {&batch.ids, &batch.positions, &batch.token_types, &batch.rows.example, &batch.rows.token})
    if (t->defined()) *t = t->to(device);
  return batch;
}

struct Step {
  Tensor logits, loss, gradients;
};

// One training step's loss and gradients, and the logits of an evaluation.
Step step_on(const at::Device& device, const std::string& model, const std::string& method,
             const std::string& yaml, const std::vector<std::vector<int64_t>>* choices) {
  ModelConfig config = tiny_config(model, 3);
  config.hidden_dropout = config.attention_dropout = 0.1;
  if (config.decoder) config.decoder->embedding_dropout = config.decoder->residual_dropout = 0.1;
  Attached run(config, method, yaml, at::TensorOptions(at::kFloat).device(device));
  perturb(run.trainables());
  const std::vector<int64_t> examples = {0, 1, 2, 3, 4};
  const PackedBatch batch = on_device(pack_examples(examples), device);
  const auto forced = [&](ForwardContext& c) {
    // Rounding may change a vote, and then all results would differ.
    if (choices)
      for (size_t t = 0; t < choices->size(); ++t) force(c, static_cast<int64_t>(t), (*choices)[t]);
  };
  Step out;
  ForwardContext evaluation = run.context();
  forced(evaluation);
  out.logits = run.model->logits(batch, evaluation).detach().to(at::kCPU);
  ForwardContext c = run.context(Phase::train, 3);
  forced(c);
  run.trainables().zero_gradients();
  const Tensor targets = at::tensor({0, 1, 0, 1, 1}, at::kLong).to(device);
  Tensor loss = at::cross_entropy_loss(run.model->logits(batch, c), targets);
  if (const Tensor more = run.attachment->auxiliary_sum(c); more.defined()) loss = loss + more;
  loss.backward();
  out.loss = loss.detach().to(at::kCPU);
  out.gradients = run.trainables().gradients.detach().to(at::kCPU);
  return out;
}

class OnCuda : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(EveryMethod, OnCuda, testing::ValuesIn(supported_model_types()),
                         [](const auto& info) { return info.param; });

TEST_P(OnCuda, AStepEqualsThatOfTheCpu) {
  if (!at::hasCUDA() || at::getNumGPUs() == 0) GTEST_SKIP() << "no CUDA device";
  at::globalContext().setAllowTF32CuBLAS(false);
  const std::vector<std::vector<int64_t>> choices = {
      {1, 2, 0, 1, 1}, {1, 1, 1, 1, 1}, {0, 2, 2, 0, 1}};
  for (const std::string& method : methods().names()) {
    SCOPED_TRACE(method);
    const auto* forced = method == "molex" ? &choices : nullptr;
    const std::string yaml = method == "molex" ? "gate: {gradient: probability}\n" : "";
    const Step cpu = step_on(at::kCPU, GetParam(), method, yaml, forced);
    const Step cuda = step_on(at::Device(at::kCUDA, 0), GetParam(), method, yaml, forced);
    EXPECT_CLOSE(cuda.logits, cpu.logits,
                 2e-4 * std::max(1.0, cpu.logits.abs().max().item<double>()));
    EXPECT_CLOSE(cuda.loss, cpu.loss, 2e-4);
    EXPECT_CLOSE(cuda.gradients, cpu.gradients,
                 1e-3 * std::max(1e-2, cpu.gradients.abs().max().item<double>()));
  }
}

TEST(OnCudaMasks, EqualThoseOfTheCpuBitForBit) {
  if (!at::hasCUDA() || at::getNumGPUs() == 0) GTEST_SKIP() << "no CUDA device";
  const Tensor example = at::arange(7, at::kLong) * 1000003, token = at::arange(7, at::kLong);
  const DropoutMask host{0.3, 77, 5, example, token};
  const DropoutMask device{0.3, 77, 5, example.to(at::kCUDA), token.to(at::kCUDA)};
  for (const int64_t columns : {1, 63, 64, 203}) {
    const Tensor factors = mask_factors(device, columns);
    EXPECT_TRUE(factors.is_cuda());
    EXPECT_SAME(factors.to(at::kCPU), mask_factors(host, columns));
  }
}

}  // namespace
}  // namespace mixtune::test
