// Running the layers of a stack, and restricting the last layer to the rows that the head reads:
// the outputs of these rows must not change.
#include "nn/layer_stack.h"

#include "support/hand_made_stack.h"

namespace mixtune::test {
namespace {

TEST(LayerStack, RunsItsLayersInOrderAndReturnsHiddenStates) {
  HandMadeStack made(1);
  made.add([](const Tensor& z, const Call&) { return z + 1; });
  made.add([](const Tensor& z, const Call&) { return z * 10; });
  ForwardContext c = made.context();
  std::vector<Tensor> hidden;
  made.stack.hidden_states = &hidden;
  const Tensor out = made.stack.forward(at::full({2, 1}, 3, at::kDouble), rows_of({2}), c, nullptr);
  EXPECT_SAME(out, at::full({2, 1}, 40, at::kDouble));
  ASSERT_EQ(hidden.size(), 3u);
  EXPECT_EQ(hidden[0][0].item<double>(), 3);
  EXPECT_EQ(hidden[1][0].item<double>(), 4);
  EXPECT_EQ(hidden[2][0].item<double>(), 40);
}

TEST(LayerStack, SelectsRowsInTheLastLayerOnly) {
  HandMadeStack made(1);
  std::vector<bool> read;
  for (int n = 0; n < 3; ++n)
    made.add([&read](const Tensor& z, const Call& call) {
      read.push_back(call.read != nullptr);
      return z;
    });
  ForwardContext c = made.context();
  const SequenceLayout rows = rows_of({2, 3});
  const SelectedRows first = first_rows(rows);
  const Tensor z = at::arange(5, at::kDouble).view({5, 1});
  EXPECT_SAME(made.stack.forward(z, rows, c, &first).view({-1}), at::tensor({0., 2.}, at::kDouble));
  EXPECT_EQ(read, (std::vector<bool>{false, false, true}));
}

TEST(LayerStack, RunsSeveralLayersOnOneInput) {
  HandMadeStack made(1);
  made.add_constant(5);
  made.add_constant(6);
  ForwardContext c = made.context();
  const CallPath paths[] = {{.position = 0, .layer = 1}, {.position = 0, .layer = 0}};
  const auto out = made.stack.run(paths, at::zeros({1, 1}, at::kDouble), rows_of({1}), c, nullptr);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].item<double>(), 6);
  EXPECT_EQ(out[1].item<double>(), 5);
}

struct StackCase {
  std::string name, model, method, yaml;
  friend std::ostream& operator<<(std::ostream& out, const StackCase& one) {
    return out << one.name;
  }
};

class RowsThatAreRead : public testing::TestWithParam<StackCase> {};

// The stack restricted to the rows of the head against the whole stack: values and gradients, with
// dropout.
TEST_P(RowsThatAreRead, EqualTheSameRowsOfTheWholeStack) {
  ModelConfig config = tiny_config(GetParam().model);
  config.hidden_dropout = 0.1;
  config.attention_dropout = 0.2;
  const PackedBatch batch = pack_examples({0, 1, 2, 3, 4});
  const SelectedRows first = first_rows(batch.rows);
  const auto run = [&](bool part) {
    auto attached =
        std::make_unique<Attached>(config, GetParam().method, GetParam().yaml, at::kDouble);
    perturb(attached->trainables(), 0.4);
    const Tensor z = draw({batch.rows.tokens(), 16}, 1, "z").to(at::kDouble).requires_grad_(true);
    ForwardContext c = attached->context(Phase::train, 3);
    Tensor out = attached->stack().forward(z, batch.rows, c, part ? &first : nullptr);
    if (!part) out = out.index_select(0, first.index);
    Tensor loss = (out * draw({5, 16}, 1, "weights")).sum();
    const Tensor auxiliary = attached->attachment->auxiliary_sum(c);
    if (auxiliary.defined()) loss = loss + auxiliary;
    loss.backward();
    return std::vector<Tensor>{out.detach(), z.grad(), attached->trainables().gradients};
  };
  const auto part = run(true), whole = run(false);
  ASSERT_EQ(part[0].size(0), 5);
  for (size_t i = 0; i < part.size(); ++i) EXPECT_CLOSE(part[i], whole[i], tight(whole[i])) << i;
}

INSTANTIATE_TEST_SUITE_P(
    All, RowsThatAreRead,
    testing::Values(
        StackCase{"bert", "bert", "full", ""}, StackCase{"roberta", "roberta", "full", ""},
        StackCase{"lora", "bert", "lora", "target_modules: [all-linear]\nlora_dropout: 0.2"},
        StackCase{"lora_without_query", "bert", "lora", "target_modules: [value]"},
        StackCase{"ia3", "roberta", "ia3", ""},
        StackCase{"houlsby", "bert", "houlsby", "bottleneck_size: 4"},
        StackCase{"molex_sequence", "bert", "molex", "scope: sequence"},
        StackCase{"molex_batch", "roberta", "molex", "scope: batch"},
        StackCase{"molex_uniform", "bert", "molex", "control: uniform"},
        StackCase{"molex_probability", "bert", "molex", "gate: {gradient: probability}"},
        StackCase{"molex_straight_through", "roberta", "molex",
                  "gate: {gradient: straight_through}"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace mixtune::test
