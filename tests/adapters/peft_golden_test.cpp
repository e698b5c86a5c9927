// Golden kind `peft_adapter`: adapter folders that PEFT wrote. Compares the logits of the base
// model, with the adapter and with the adapter merged; the merged weights; the losses of some AdamW
// steps and the tensors after them. A saved folder must have PEFT's tensors under PEFT's names.
#include <gtest/gtest.h>

#include "adapters/adapter_folder.h"
#include "base/config.h"
#include "base/config_json.h"
#include "files/peft_config.h"
#include "moe/merge.h"
#include "support/golden_tensors.h"
#include "support/tiny_model.h"

namespace mixtune::test {
namespace {

constexpr std::string_view kPrefix = "base_model.model.";

Choice method_choice(const std::string& json) {
  Json method = Json::parse(json);
  const std::string name = method.at("name");
  method.erase("name");
  Choice out{name, methods().get(name, "method.name", "method").config()};
  ConfigLayers layers;
  layers.add_text(method.dump(), "adapter_config.json");
  layers.apply(*out.config);
  return out;
}

// A base model with the adapter of a case.
struct WithAdapter {
  AdapterContents contents;
  Choice method;
  LoadedModel loaded;
  std::unique_ptr<Attachment> attachment;

  explicit WithAdapter(const GoldenCase& golden)
      : contents(load_adapter(golden.folder)),
        method(method_choice(contents.method)),
        loaded(load_model(golden.folder / golden.json.at("base_model").get<std::string>(), {})) {
    const auto specs = specs_of(
        method, {loaded.model->config().layers, loaded.model->config().decoder.has_value()});
    attachment = attach(specs, loaded.model->sites(),
                        {.seed = 3, .train_head = contents.outputs.has_value()});
    place();
  }

  // Copies the tensors of the file; the file and the trainables must have the same names.
  void place() {
    const at::NoGradGuard no_grad;
    EXPECT_EQ(contents.tensors.size(), attachment->trainables.segments().size());
    for (const Segment& segment : attachment->trainables.segments()) {
      const Tensor* found = find_tensor(contents.tensors, segment.name);
      ASSERT_NE(found, nullptr) << segment.name;
      ASSERT_EQ(found->sizes(), at::IntArrayRef(segment.shape)) << segment.name;
      attachment->trainables.value_of(segment).copy_(*found);
    }
  }
};

struct Fixture {
  const GoldenCase& golden;
  GoldenTensors tensors;
  Reducer alone;

  explicit Fixture(const GoldenCase& one)
      : golden(one), tensors(one.folder / "tensors.safetensors") {}

  const Json& sequence(size_t n) const { return golden.json.at("sequences").at(n); }
  size_t count() const { return golden.json.at("sequences").size(); }
  double tolerance(const char* name) const {
    return golden.json.at("tolerances").at(name).get<double>();
  }
  bool is_language_model() const { return sequence(0).contains("labels"); }

  PackedBatch batch(const std::vector<size_t>& chosen) const {
    std::vector<SequenceData> data;
    for (const size_t n : chosen)
      data.push_back({sequence(n).at("input_ids").get<std::vector<int32_t>>(),
                      sequence(n).value("token_type_ids", std::vector<int32_t>())});
    return packed(data);
  }
  PackedBatch everything() const {
    std::vector<size_t> all(count());
    for (size_t n = 0; n < all.size(); ++n) all[n] = n;
    return batch(all);
  }
  Tensor logits(Model& model, const PackedBatch& packed) {
    ForwardContext context(Phase::evaluate, 0, 0, alone);
    return model.logits(packed, context);
  }

  void check_logits(Model& model, const std::string& which) {
    const at::NoGradGuard no_grad;
    for (size_t n = 0; n < count(); ++n) {
      const std::string name = "seq" + std::to_string(n) + ".logits_" + which;
      const Tensor actual = logits(model, batch({n}));
      tensors.expect_near(actual, tensors.get(name).view(actual.sizes()), tolerance("logits_abs"),
                          name);
    }
  }

  // The mean loss over the sequences, or over all targets of a language model.
  Tensor loss(Model& model) {
    const PackedBatch packed = everything();
    const Tensor output = logits(model, packed);
    if (!is_language_model()) {
      std::vector<int64_t> labels;
      for (size_t n = 0; n < count(); ++n) labels.push_back(sequence(n).at("label"));
      return at::cross_entropy_loss(output, at::tensor(labels, at::kLong));
    }
    std::vector<int64_t> targets;
    for (size_t n = 0; n < count(); ++n) {
      auto labels = sequence(n).at("labels").get<std::vector<int64_t>>();
      labels.erase(labels.begin());
      labels.push_back(-100);
      targets.insert(targets.end(), labels.begin(), labels.end());
    }
    return at::cross_entropy_loss(output, at::tensor(targets, at::kLong), {}, at::Reduction::Mean,
                                  -100);
  }

  // As in PEFT, the parameters of a module count once.
  void check_parameters(const WithAdapter& run) {
    int64_t total = 0;
    for (const Segment& segment : run.attachment->trainables.segments()) total += segment.count();
    tensors.expect_near(static_cast<double>(total),
                        golden.json.at("trainable_parameters").get<double>(), 0, "parameters");
  }

  void check_merged() {
    WithAdapter run(golden);
    merge_adapters(run.loaded.model->sites());
    check_logits(*run.loaded.model, "merged");
    for (const auto& [name, expected] : tensors.all()) {
      if (!name.starts_with("merged.")) continue;
      bool found = false;
      for (const WeightSlot& slot : run.loaded.model->sites().weights) {
        if ("merged." + slot.name != name) continue;
        found = true;
        tensors.expect_near(slot.view(), expected, tolerance("merged_weight_abs"), name);
      }
      EXPECT_TRUE(found) << name;
    }
  }

  // AdamW by its definition, with the settings of the case; all trainable parameters are decayed.
  void check_training() {
    if (!golden.json.contains("training") || golden.json.at("training").is_null()) return;
    const Json& training = golden.json.at("training");
    WithAdapter run(golden);
    Trainables& t = run.attachment->trainables;
    const auto rates = training.at("learning_rate_used").get<std::vector<double>>();
    const auto losses = training.at("losses_before_each_step").get<std::vector<double>>();
    const double decay = training.at("weight_decay");
    const Tensor first = at::zeros_like(t.values), second = at::zeros_like(t.values);
    for (size_t step = 0; step < rates.size(); ++step) {
      t.zero_gradients();
      const Tensor value = loss(*run.loaded.model);
      tensors.expect_near(value.item<double>(), losses[step], tolerance("training_loss_abs"),
                          "loss " + std::to_string(step));
      value.backward();
      const at::NoGradGuard no_grad;
      const double norm = t.gradients.norm().item<double>();
      if (const Json& clip = training.at("clip"); !clip.is_null())
        t.gradients.mul_(std::min(1.0, clip.get<double>() / (norm + 1e-6)));
      first.mul_(0.9).add_(t.gradients, 0.1);
      second.mul_(0.999).addcmul_(t.gradients, t.gradients, 0.001);
      const double n = static_cast<double>(step) + 1;
      t.values.mul_(1 - rates[step] * decay);
      t.values.addcdiv_(first, (second / (1 - std::pow(0.999, n))).sqrt().add_(1e-8),
                        -rates[step] / (1 - std::pow(0.9, n)));
    }
    {
      const at::NoGradGuard no_grad;
      tensors.expect_near(loss(*run.loaded.model).item<double>(),
                          training.at("loss_after_last_step").get<double>(),
                          tolerance("training_loss_abs"), "last loss");
    }
    const std::string prefix = "after_training." + std::string(kPrefix);
    for (const auto& [name, expected] : tensors.all()) {
      if (!name.starts_with(prefix)) continue;
      const Segment* segment = t.find(name.substr(prefix.size()));
      ASSERT_NE(segment, nullptr) << name;
      tensors.expect_near_by_norm(t.value_of(*segment), expected, tolerance("after_training_abs"),
                                  name);
    }
  }

  // The saved folder has the tensors of PEFT and an equivalent config.
  void check_saved() {
    WithAdapter run(golden);
    AdapterContents contents = run.contents;
    Json method = to_json(*run.method.config);
    method["name"] = run.method.name;
    contents.method = method.dump();
    contents.tensors = run.attachment->state();
    const TemporaryFolder folder;
    save_adapter(folder.path(), contents);
    const NamedTensors ours = read_tensors(folder / "adapter_model.safetensors");
    const NamedTensors theirs = read_tensors(golden.folder / "adapter_model.safetensors");
    EXPECT_EQ(ours.size(), theirs.size());
    for (const auto& [name, expected] : theirs) {
      const Tensor* found = find_tensor(ours, name);
      ASSERT_NE(found, nullptr) << name;
      tensors.expect_near(*found, expected, 0, name);
    }
    const PeftLoraConfig config = read_peft_config(folder / "adapter_config.json");
    const PeftLoraConfig expected = read_peft_config(golden.folder / "adapter_config.json");
    EXPECT_EQ(config.r, expected.r);
    EXPECT_EQ(config.lora_alpha, expected.lora_alpha);
    EXPECT_EQ(config.use_dora, expected.use_dora);
    EXPECT_EQ(config.use_rslora, expected.use_rslora);
    EXPECT_EQ(config.bias, expected.bias);
    EXPECT_EQ(config.lora_bias, expected.lora_bias);
    EXPECT_EQ(config.alpha_pattern, expected.alpha_pattern);
    EXPECT_EQ(config.target_modules.size(), golden.json.at("adapted_modules").size());
    for (const std::string& module : config.target_modules)
      EXPECT_TRUE(golden.json.at("adapted_modules").contains(module)) << module;
  }
};

void check_peft_adapter(const GoldenCase& one, GoldenTally& tally) {
  Fixture f(one);
  {
    const LoadedModel base =
        load_model(one.folder / one.json.at("base_model").get<std::string>(), {});
    f.check_logits(*base.model, "base");
  }
  WithAdapter run(one);
  f.check_parameters(run);
  f.check_logits(*run.loaded.model, "adapter");
  f.check_merged();
  f.check_training();
  f.check_saved();
  tally.checked(one, f.tensors.values());
}

MIXTUNE_GOLDEN_CHECKER(peft_adapter, check_peft_adapter);

}  // namespace
}  // namespace mixtune::test
