// Golden kind `model`: logits, hidden states, losses and gradients of Hugging Face folders, either
// the case's own or the one that its `model` names. Every sequence runs alone and packed with the
// others; both must give the recorded numbers.
#include <gtest/gtest.h>

#include "models/model.h"
#include "support/golden_tensors.h"

namespace mixtune::test {
namespace {

struct Fixture {
  const GoldenCase& golden;
  GoldenTensors tensors;
  LoadedModel loaded;
  Reducer alone;

  explicit Fixture(const GoldenCase& one)
      : golden(one),
        tensors(one.folder / "tensors.safetensors"),
        loaded(load_model(golden_path(one, one.json.value("model", "")), {})) {}

  Model& model() { return *loaded.model; }
  double tolerance(const char* name) const {
    return golden.json.at("tolerances").at(name).get<double>();
  }
  bool has_head() { return model().labels() > 0; }
  bool is_decoder() { return model().config().decoder.has_value(); }
  bool is_language_model() { return golden.json.at("sequences").at(0).contains("labels"); }

  SequenceData sequence(size_t n) const {
    const Json& one = golden.json.at("sequences").at(n);
    return {one.at("input_ids").get<std::vector<int32_t>>(),
            one.value("token_type_ids", std::vector<int32_t>())};
  }
  size_t count() const { return golden.json.at("sequences").size(); }

  Tensor forward(const PackedBatch& batch, ForwardContext& context) {
    return has_head() ? model().logits(batch, context) : model().last_hidden_state(batch, context);
  }

  // The rows of the output of a packed batch that belong to sequence n.
  Tensor part(const Tensor& output, const PackedBatch& batch, size_t n) {
    return has_head() && !is_language_model()
               ? output.narrow(0, static_cast<int64_t>(n), 1)
               : output.narrow(0, batch.rows.offsets[n], batch.rows.length(n));
  }

  // The loss of sequence n by the case's loss_rule. output: [1, labels], or [tokens, vocabulary] of
  // a language model, or [tokens, width] of a base model.
  Tensor loss(const Tensor& output, size_t n) {
    if (!has_head()) {
      const Tensor index = at::arange(output.numel(), at::kDouble).view(output.sizes());
      return (output.to(at::kDouble) * index.cos()).mean();
    }
    const Json& sequence = golden.json.at("sequences").at(n);
    if (is_language_model()) {
      auto labels = sequence.at("labels").get<std::vector<int64_t>>();
      labels.erase(labels.begin());
      return at::cross_entropy_loss(output.narrow(0, 0, output.size(0) - 1),
                                    at::tensor(labels, at::kLong));
    }
    const Json& label = sequence.at("label");
    if (model().labels() == 1)
      return at::mse_loss(output.view({-1}), at::tensor({label.get<double>()}).to(at::kFloat));
    return at::cross_entropy_loss(output, at::tensor({label.get<int64_t>()}, at::kLong));
  }
};

void check_names(Fixture& f) {
  const auto sorted = [](std::vector<std::string> names) {
    std::sort(names.begin(), names.end());
    return names;
  };
  const auto recorded = [&](const char* key) {
    return sorted(f.golden.json.at(key).get<std::vector<std::string>>());
  };
  EXPECT_EQ(sorted(f.loaded.report.missing), recorded("missing_keys"));
  // Buffers that carry nothing are not reported.
  std::vector<std::string> unexpected = recorded("unexpected_keys");
  std::erase_if(unexpected, [](const std::string& name) { return name.ends_with("masked_bias"); });
  EXPECT_EQ(sorted(f.loaded.report.unexpected), unexpected);
}

void check_alone(Fixture& f) {
  for (size_t n = 0; n < f.count(); ++n) {
    const std::string name = "seq" + std::to_string(n);
    const PackedBatch batch = packed({f.sequence(n)});
    ForwardContext context(Phase::evaluate, 0, 0, f.alone);
    std::vector<Tensor> hidden;
    f.model().sites().stack->hidden_states = &hidden;
    const Tensor last = f.model().last_hidden_state(batch, context);
    f.model().sites().stack->hidden_states = nullptr;
    f.tensors.expect_near(last, f.tensors.get(name + ".last_hidden_state").view(last.sizes()),
                          f.tolerance("hidden_abs"), name);
    const Tensor output = f.forward(batch, context);
    if (f.has_head())
      f.tensors.expect_near(output, f.tensors.get(name + ".logits").view(output.sizes()),
                            f.tolerance("logits_abs"), name);
    if (f.tensors.has(name + ".pooler_output")) {
      const Tensor pooled = f.model().pooled(last, batch.rows);
      f.tensors.expect_near(pooled, f.tensors.get(name + ".pooler_output").view(pooled.sizes()),
                            f.tolerance("hidden_abs"), name + " pooled");
    }
    for (size_t l = 0; l < hidden.size(); ++l) {
      const std::string key = name + ".hidden_states." + std::to_string(l);
      if (f.tensors.has(key))  // the last one of a decoder is after the final norm
        f.tensors.expect_near(hidden[l], f.tensors.get(key).view(hidden[l].sizes()),
                              f.tolerance("hidden_abs"), key);
    }
    f.tensors.expect_near(f.loss(output, n).item<double>(),
                          f.golden.json.at("sequences").at(n).at("loss").get<double>(),
                          f.tolerance("loss_abs"), name + " loss");
  }
}

void check_packed(Fixture& f) {
  std::vector<SequenceData> all;
  for (size_t n = 0; n < f.count(); ++n) all.push_back(f.sequence(n));
  const PackedBatch batch = packed(all);
  ForwardContext context(Phase::evaluate, 0, 0, f.alone);
  const Tensor output = f.forward(batch, context);
  for (size_t n = 0; n < f.count(); ++n) {
    const std::string name = "seq" + std::to_string(n);
    const Tensor part = f.part(output, batch, n);
    const Tensor expected = f.tensors.get(name + (f.has_head() ? ".logits" : ".last_hidden_state"));
    f.tensors.expect_near(part, expected.view(part.sizes()),
                          f.tolerance(f.has_head() ? "logits_abs" : "hidden_abs"),
                          name + " packed");
  }
}

// grad.seq2.*: of one sequence alone; grad.sum.*: of the sum of all losses, here from one packed
// batch.
void check_gradients(Fixture& f) {
  if (f.golden.json.at("gradients").is_null()) return;
  for (const WeightSlot& slot : f.model().sites().weights) slot.storage->requires_grad_(true);
  const auto clear = [&] {
    for (const WeightSlot& slot : f.model().sites().weights)
      slot.storage->mutable_grad() = Tensor();
  };
  const auto compare = [&](const std::string& prefix) {
    for (const auto& [name, expected] : f.tensors.all()) {
      if (!name.starts_with(prefix)) continue;
      const std::string weight = name.substr(prefix.size());
      bool found = false;
      for (const WeightSlot& slot : f.model().sites().weights) {
        if (slot.name != weight) continue;
        found = true;
        const Tensor gradient = slot.view_of(slot.storage->grad());
        f.tensors.expect_relative(gradient, expected, f.tolerance("grad_rel_max"), name);
      }
      EXPECT_TRUE(found) << weight;
    }
  };
  const size_t one = f.golden.json.at("gradients").at("of_loss_of_sequence").get<size_t>();
  ForwardContext context(Phase::evaluate, 0, 0, f.alone);
  clear();
  f.loss(f.forward(packed({f.sequence(one)}), context), one).backward();
  compare("grad.seq" + std::to_string(one) + ".");

  std::vector<SequenceData> all;
  for (size_t n = 0; n < f.count(); ++n) all.push_back(f.sequence(n));
  const PackedBatch batch = packed(all);
  clear();
  const Tensor output = f.forward(batch, context);
  Tensor sum = at::zeros({}, at::kDouble);
  for (size_t n = 0; n < f.count(); ++n) sum = sum + f.loss(f.part(output, batch, n), n);
  sum.backward();
  compare("grad.sum.");
}

void check_model(const GoldenCase& one, GoldenTally& tally) {
  Fixture f(one);
  check_names(f);
  check_alone(f);
  check_packed(f);
  check_gradients(f);
  tally.checked(one, f.tensors.values());
}

MIXTUNE_GOLDEN_CHECKER(model, check_model);

}  // namespace
}  // namespace mixtune::test
