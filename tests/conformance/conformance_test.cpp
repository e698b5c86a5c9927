// Every registered method on every model type: the properties that all of them share
// (docs/design.md, "Adding a method"). A new method is tested here without new code; MoLEx is also
// tested over each of the others.
#include <algorithm>
#include <cmath>
#include <set>

#include "support/paths.h"
#include "support/tiny_model.h"
#include "tensor/tensor_file.h"

namespace mixtune::test {
namespace {

struct Case {
  std::string name, model, method, yaml;

  bool layer_experts() const { return method == "molex"; }
  Attached attached(const std::string& more = "", double dropout = 0, RandomKey seed = 0,
                    at::ScalarType type = at::kFloat) const {
    ModelConfig config = tiny_config(model, 3);
    config.hidden_dropout = config.attention_dropout = dropout;
    if (config.decoder)
      config.decoder->embedding_dropout = config.decoder->residual_dropout = dropout;
    return Attached(config, method, yaml + more, type, {.seed = seed});
  }
  // In double precision, for tests of equality.
  Attached in_double(const std::string& more = "", double dropout = 0) const {
    return attached(more, dropout, 0, at::kDouble);
  }
};

std::vector<Case> cases_of(const std::string& model) {
  std::vector<Case> out;
  for (const std::string& method : methods().names()) out.push_back({method, model, method, ""});
  for (const std::string& inner : inner_method_choices().names())
    out.push_back({"molex over " + inner, model, "molex", "over: {name: " + inner + "}\n"});
  out.push_back({"molex over nothing", model, "molex", "over: null\n"});
  out.push_back({"molex, all options", model, "molex",
                 "gate: {kind: cosine, projection: 4, sharing: per_layer, gradient: probability}\n"
                 "alpha: {kind: learned}\nreduce: mean\n"});
  out.push_back({"mixture, pooled by sequence", model, "mixture",
                 "scope: {level: sequence}\nnum_experts: 3\ntarget_modules: [all-linear]\n"
                 "losses: [{name: load, weight: 0.1}]\nrouter: {noise: 0.1}\n"});
  out.push_back({"mixture, cosines of prompts", model, "mixture",
                 "scope: {level: prompt, pool: probabilities, prompt_tokens: 2}\nnum_experts: 3\n"
                 "gate: {name: cosine, projection: 4}\nrouter: {jitter_noise: 0.1}\n"});
  out.push_back({"mixture of feed-forwards, cosines of sequences", model, "mixture",
                 "site: feed_forward\nselection: all\nscope: {level: sequence}\n"
                 "gate: {name: cosine, projection: 4}\n"});
  out.push_back(
      {"lora with dropout", model, "lora", "lora_dropout: 0.2\ntarget_modules: [all-linear]\n"});
  return out;
}

// One test per property and model: with one process per method, start-up would dominate.
class Conformance : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(EveryMethod, Conformance, testing::ValuesIn(supported_model_types()),
                         [](const auto& info) { return info.param; });

// Examples whose label is the parity of their number, so that they can be learned.
std::vector<int64_t> first_examples(int64_t count) {
  std::vector<int64_t> out;
  for (int64_t n = 0; n < count; ++n) out.push_back(n);
  return out;
}
std::vector<int64_t> sixteen() {
  return first_examples(16);
}

Tensor total_loss(Attached& run, ForwardContext& c, const std::vector<int64_t>& examples) {
  std::vector<int64_t> labels;
  for (const int64_t example : examples) labels.push_back(example % 2);
  const Tensor logits = run.model->logits(pack_examples(examples), c);
  const Tensor task = at::cross_entropy_loss(logits, at::tensor(labels, at::kLong));
  const Tensor auxiliary = run.attachment->auxiliary_sum(c);
  return auxiliary.defined() ? task + auxiliary : task;
}

// The losses of some steps of Adam, computed by its definition. Stops once the loss is below
// `enough` times the first.
std::vector<double> train(Attached& run, int steps, double enough = 0) {
  Trainables& t = run.trainables();
  const Tensor first = at::zeros_like(t.values), second = at::zeros_like(t.values);
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    ForwardContext c = run.context(Phase::train, step);
    t.zero_gradients();
    const Tensor loss = total_loss(run, c, sixteen());
    loss.backward();
    losses.push_back(loss.item<double>());
    if (losses.back() < enough * losses.front()) break;
    const at::NoGradGuard no_grad;
    first.mul_(0.9).add_(t.gradients, 0.1);
    second.mul_(0.99).addcmul_(t.gradients, t.gradients, 0.01);
    const double c1 = 1 - std::pow(0.9, step + 1), c2 = 1 - std::pow(0.99, step + 1);
    t.values.addcdiv_(first, (second / c2).sqrt().add_(1e-8), -0.003 / c1);
  }
  return losses;
}

// MoLEx blends layers from the first step, so it is the identity only if the other layer has weight
// 0 or is the layer itself; the method under `over` must be the identity in both cases.
TEST_P(Conformance, LogitsAreThoseOfTheModelAtTheStart) {
  for (const Case& one : cases_of(GetParam())) {
    SCOPED_TRACE(one.name);
    const auto pretrained = tiny_model(tiny_config(one.model, 3), at::kDouble);
    Reducer alone;
    ForwardContext c(Phase::evaluate, 7, 0, alone);
    const PackedBatch batch = pack_examples({0, 1, 2});
    const Tensor expected = pretrained->logits(batch, c);
    if (!one.layer_experts()) {
      // Weights of experts sum to one up to rounding.
      EXPECT_CLOSE(one.in_double().logits(batch), expected, tight(expected));
      continue;
    }
    EXPECT_CLOSE(one.in_double("control: self\n").logits(batch), expected, tight(expected));
    if (one.yaml.find("alpha") == std::string::npos) {
      EXPECT_CLOSE(one.in_double("alpha: {main: 1, other: 0}\n").logits(batch), expected,
                   tight(expected));
    }
  }
}

TEST_P(Conformance, OnlyDeclaredParametersTrain) {
  for (const Case& one : cases_of(GetParam())) {
    SCOPED_TRACE(one.name);
    Attached run = one.attached();
    std::map<std::string, Tensor> before;
    for (const WeightSlot& slot : run.model->sites().weights)
      before[slot.name] = slot.view().detach().clone();
    std::vector<Tensor> frozen;
    for (const FrozenBuffer& buffer : run.attachment->buffers)
      frozen.push_back(buffer.tensor->clone());
    train(run, 2);
    for (const WeightSlot& slot : run.model->sites().weights) {
      if (run.trainables().find(slot.name)) continue;
      EXPECT_SAME(slot.view(), before.at(slot.name)) << slot.name;
      EXPECT_FALSE(slot.storage->grad().defined()) << slot.name;
    }
    for (size_t i = 0; i < frozen.size(); ++i) {
      EXPECT_SAME(*run.attachment->buffers[i].tensor, frozen[i]);
      EXPECT_FALSE(run.attachment->buffers[i].tensor->requires_grad());
    }
  }
}

// Weights that no token uses, or that cancel out, have zero gradients by construction.
bool may_have_no_gradient(const std::string& name) {
  // A constant added to all keys of a head changes no attention probability.
  return name.ends_with("self.key.bias");
}

// The names of the tensors that get no gradient with one random set of weights.
std::set<std::string> without_gradient(const Case& one, RandomKey seed) {
  Attached run = one.attached();
  perturb(run.trainables(), 0.2, seed);
  ForwardContext c = run.context(Phase::train);
  // A layer that selects itself gives alpha no gradient, so each borrows its neighbor.
  if (one.layer_experts()) force_all(c, {1, 2, 0});
  total_loss(run, c, first_examples(48)).backward();
  EXPECT_FALSE(run.trainables().segments().empty());
  std::set<std::string> out;
  for (const Segment& s : run.trainables().segments()) {
    const Tensor gradient = run.trainables().gradient_of(s);
    EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << s.name;
    if (gradient.abs().max().item<float>() == 0 && !may_have_no_gradient(s.name))
      out.insert(s.name);
  }
  return out;
}

// An expert that no token selected has none, so a tensor without a gradient must get one with
// another set of weights.
TEST_P(Conformance, EveryDeclaredParameterGetsAFiniteGradient) {
  for (const Case& one : cases_of(GetParam())) {
    SCOPED_TRACE(one.name);
    std::set<std::string> left = without_gradient(one, 2);
    for (RandomKey seed = 3; !left.empty() && seed < 8; ++seed) {
      const std::set<std::string> again = without_gradient(one, seed);
      std::erase_if(left, [&](const std::string& name) {
        return name.find(".experts.") != std::string::npos && !again.contains(name);
      });
    }
    for (const std::string& name : left) ADD_FAILURE() << name << " gets no gradient";
  }
}

TEST_P(Conformance, SavedAndLoadedGivesIdenticalLogits) {
  for (const Case& one : cases_of(GetParam())) {
    SCOPED_TRACE(one.name);
    Attached run = one.attached();
    perturb(run.trainables());
    const TemporaryFolder folder;
    write_tensors(folder / "adapter.safetensors", run.attachment->state());
    // The new model has other initial values before it loads.
    Attached fresh = one.attached("", 0, 99);
    const NamedTensors loaded = read_tensors(folder / "adapter.safetensors");
    EXPECT_EQ(loaded.size(), fresh.attachment->state().size());
    for (const auto& [name, view] : fresh.attachment->state()) {
      const Tensor* found = find_tensor(loaded, name);
      ASSERT_NE(found, nullptr) << name;
      const at::NoGradGuard no_grad;
      view.copy_(*found);
    }
    const PackedBatch batch = pack_examples({0, 1, 2, 3});
    EXPECT_SAME(fresh.logits(batch), run.logits(batch));
  }
}

// Masks are functions of example and token, so this holds in training as well.
TEST_P(Conformance, ASequencesResultDoesNotDependOnWhatItIsPackedWith) {
  for (const Case& one : cases_of(GetParam())) {
    SCOPED_TRACE(one.name);
    for (const Phase phase : {Phase::evaluate, Phase::train}) {
      Attached run = one.in_double("", 0.2);
      perturb(run.trainables());
      const at::NoGradGuard no_grad;
      const std::vector<int64_t> examples = {4, 2, 9, 0, 7, 5};
      const auto logits = [&](const std::vector<int64_t>& some) {
        ForwardContext c = run.context(phase, 3);
        return run.model->logits(pack_examples(some), c);
      };
      const Tensor packed = logits(examples);
      for (size_t i = 0; i < examples.size(); ++i)
        EXPECT_CLOSE(logits({examples[i]})[0], packed[static_cast<int64_t>(i)], tight(packed)) << i;
    }
  }
}

TEST_P(Conformance, TheSameSeedGivesTheSameLossesBitForBit) {
  for (const Case& one : cases_of(GetParam())) {
    SCOPED_TRACE(one.name);
    Attached run = one.attached("", 0.1), again = one.attached("", 0.1);
    EXPECT_EQ(train(run, 3), train(again, 3));
  }
}

TEST_P(Conformance, TheLossFallsOnSixteenExamples) {
  for (const Case& one : cases_of(GetParam())) {
    SCOPED_TRACE(one.name);
    Attached run = one.attached();
    // A causal head reads one token of a random model, so methods that train few other weights need
    // more steps.
    const auto losses = train(run, run.model->config().decoder ? 90 : 30, 0.9);
    EXPECT_LT(losses.back(), 0.9 * losses.front());
  }
}

TEST_P(Conformance, CountsOfTheTableEqualThoseOfTheTrainables) {
  for (const Case& one : cases_of(GetParam())) {
    SCOPED_TRACE(one.name);
    Attached run = one.attached();
    int64_t sum = 0;
    for (const AttachedSite& site : run.attachment->table) sum += site.parameters;
    EXPECT_EQ(sum, run.trainables().count());
  }
}

// Every name is one file entry; trained tensors have names of the model or of the method.
TEST_P(Conformance, NamesOfTheStateAreUnique) {
  for (const Case& one : cases_of(GetParam())) {
    SCOPED_TRACE(one.name);
    Attached run = one.attached();
    std::set<std::string> names;
    for (const auto& [name, tensor] : run.attachment->state())
      EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(ConformanceOfMolex, ABatchScopeMakesOneDecisionForAllSequences) {
  for (const std::string& model : supported_model_types()) {
    Attached run(tiny_config(model), "molex", "scope: batch");
    ForwardContext c = run.context();
    run.model->logits(pack_examples({0, 1, 2}), c);
    EXPECT_EQ(decision(c, 0).size(), 1u);
  }
}

}  // namespace
}  // namespace mixtune::test
