// Kind `llama_training`, the cases of MixLoRA: a LLaMA of two layers trained by the published code.
// `nopad` is the padded batch without its padding, `equal` a batch of equal lengths: losses,
// gradients, five AdamW steps and the tensors after them. And of kind `initialisation` what it
// measured of MixLoRA's first weights.
#include <fstream>

#include "support/golden_tensors.h"
#include "support/hand_made_feed_forward.h"
#include "support/paths.h"

namespace molt::test {
namespace {

// The base as a folder, so that it is read as any model is.
std::unique_ptr<Model> base_of(const GoldenCase& golden, const GoldenTensors& tensors) {
  const TemporaryFolder folder;
  Json config = golden.json.at("config").at("model");
  config["model_type"] = "llama";
  config["architectures"] = Json::array({"LlamaForCausalLM"});
  std::ofstream(folder / "config.json") << config.dump();
  NamedTensors weights;
  for (const auto& [name, tensor] : tensors.all())
    if (name.starts_with("base.")) weights.emplace_back(name.substr(5), tensor);
  write_tensors(folder / "model.safetensors", weights);
  return std::move(load_model(folder.path(), {}).model);
}

// "mixlora.layers.0.mlp.moe_gate.weight" to "model.layers.0.mlp.router.weight".
std::string our_name(const std::string& name) {
  std::string out = "model." + name.substr(name.find('.') + 1);
  if (const size_t at = out.find("moe_gate"); at != std::string::npos)
    out.replace(at, std::string("moe_gate").size(), "router");
  return out;
}

struct Fixture {
  const GoldenCase& golden;
  GoldenTensors tensors;
  std::unique_ptr<Model> model;
  std::unique_ptr<Attachment> attachment;
  Reducer alone;

  explicit Fixture(const GoldenCase& one)
      : golden(one),
        tensors(one.folder / "tensors.safetensors"),
        model(base_of(one, tensors)),
        attachment(attach(sentences_from("mixlora", recipe(), model->config().layers),
                          model->sites(), {.train_head = false})) {}

  std::string recipe() const {
    const Json& c = golden.json.at("config").at("adapter");
    const std::string rank = c.at("lora_r").dump(), alpha = c.at("lora_alpha").dump();
    return "dropout: 0\nexperts: " + c.at("num_experts").dump() + "\nk: " + c.at("top_k").dump() +
           "\nrank: " + rank + "\nalpha: " + alpha + "\nattention_rank: " + rank +
           "\nattention_alpha: " + alpha + "\nbalance: " + c.at("router_aux_loss_coef").dump();
  }
  double tolerance(const char* name) const { return golden.json.at("tolerances").at(name); }
  double scalar(const std::string& name) const { return golden.json.at("scalars").at(name); }

  void restart() {
    const at::NoGradGuard no_grad;
    for (const auto& [name, tensor] : tensors.all()) {
      if (!name.starts_with("adapter.")) continue;
      const Segment* segment = attachment->trainables.find(our_name(name.substr(8)));
      ASSERT_NE(segment, nullptr) << name;
      attachment->trainables.value_of(*segment).copy_(tensor);
    }
  }

  // Real tokens alone. `which`: padded or equal.
  std::vector<std::vector<int32_t>> texts(const std::string& which) const {
    const Tensor ids = tensors.get(which + ".tokens"),
                 mask = tensors.get(which + ".attention_mask");
    std::vector<std::vector<int32_t>> out;
    for (int64_t s = 0; s < ids.size(0); ++s) {
      out.emplace_back();
      for (int64_t t = 0; t < ids.size(1); ++t)
        if (mask[s][t].item<int64_t>() != 0) out.back().push_back(ids[s][t].item<int32_t>());
    }
    return out;
  }

  struct Losses {
    Tensor language, balance, total;
  };
  Losses losses(const std::vector<std::vector<int32_t>>& texts, Tensor* logits = nullptr) {
    ForwardContext context(Phase::train, 0, 0, alone);
    context.measures = attachment->measures;
    const Tensor output = model->logits(pack_texts(texts), context);  // [T, vocabulary]
    if (logits) *logits = output.detach();
    std::vector<int64_t> targets;
    for (const auto& text : texts) {
      targets.insert(targets.end(), text.begin() + 1, text.end());
      targets.push_back(-100);
    }
    Losses out;
    out.language = at::cross_entropy_loss(output, at::tensor(targets, at::kLong));
    out.balance = attachment->auxiliary(context).at(0).second;
    out.total = out.language + attachment->auxiliary_sum(context);
    return out;
  }

  void check(const std::string& variant, const std::string& batch) {
    SCOPED_TRACE(variant);
    restart();
    Trainables& t = attachment->trainables;
    const auto data = texts(batch);
    t.zero_gradients();
    Tensor logits;
    const Losses first = losses(data, &logits);
    if (variant == "nopad")
      tensors.expect_near(logits, tensors.get("ref.logits_real"), tolerance("logits_abs"),
                          "logits");
    tensors.expect_near(first.language.item<double>(), scalar(variant + ".lm_loss"),
                        tolerance("loss_abs"), "lm loss");
    tensors.expect_near(first.balance.item<double>(), scalar(variant + ".balance_loss"),
                        tolerance("loss_abs"), "balance loss");
    tensors.expect_near(first.total.item<double>(), scalar(variant + ".total"),
                        tolerance("loss_abs"), "total");
    first.total.backward();
    compare(variant + ".grad.", [&](const Segment& segment, const Tensor& expected,
                                    const std::string& name) {
      tensors.expect_relative(t.gradient_of(segment), expected, tolerance("grad_rel_max"), name);
    });
    train(variant, data);
    compare(variant + ".after5.",
            [&](const Segment& segment, const Tensor& expected, const std::string& name) {
              tensors.expect_near(t.value_of(segment), expected, tolerance("after5_abs"), name);
            });
  }

  template <class Body>
  void compare(const std::string& prefix, const Body& body) {
    int found = 0;
    for (const auto& [name, expected] : tensors.all()) {
      if (!name.starts_with(prefix)) continue;
      const Segment* segment = attachment->trainables.find(our_name(name.substr(prefix.size())));
      ASSERT_NE(segment, nullptr) << name;
      body(*segment, expected, name);
      ++found;
    }
    EXPECT_GT(found, 0) << prefix;
  }

  // AdamW by its definition.
  void train(const std::string& variant, const std::vector<std::vector<int32_t>>& data) {
    const Json& o = golden.json.at("config").at("optimizer");
    const double rate = o.at("lr"), decay = o.at("weight_decay");
    const auto curve =
        golden.json.at("scalars").at(variant + ".curve_total").get<std::vector<double>>();
    Trainables& t = attachment->trainables;
    const Tensor first = at::zeros_like(t.values), second = at::zeros_like(t.values);
    for (size_t step = 0; step + 1 < curve.size(); ++step) {
      t.zero_gradients();
      const Tensor total = losses(data).total;
      tensors.expect_near(total.item<double>(), curve[step], tolerance("curve_abs"), "curve");
      total.backward();
      const at::NoGradGuard no_grad;
      const double n = static_cast<double>(step) + 1;
      first.mul_(0.9).add_(t.gradients, 0.1);
      second.mul_(0.999).addcmul_(t.gradients, t.gradients, 0.001);
      t.values.mul_(1 - rate * decay);
      t.values.addcdiv_(first, (second / (1 - std::pow(0.999, n))).sqrt().add_(1e-8),
                        -rate / (1 - std::pow(0.9, n)));
    }
    const at::NoGradGuard no_grad;
    tensors.expect_near(losses(data).total.item<double>(), curve.back(), tolerance("curve_abs"),
                        "curve");
  }
};

TEST(MixLoraGolden, ItsCasesOfKind_golden_llama_training) {
  at::set_num_threads(1);
  std::vector<GoldenCase> cases;
  for (GoldenCase& one : golden_cases("llama_training"))
    if (one.json.at("config").at("adapter").value("routing_strategy", "") == "mixlora")
      cases.push_back(std::move(one));
  MOLT_NEEDS_GOLDEN(cases, "llama_training");
  GoldenTally tally("llama_training (mixlora)");
  for (const GoldenCase& one : cases) {
    SCOPED_TRACE(one.folder.string());
    Fixture f(one);
    f.check("nopad", "padded");
    f.check("equal", "equal");
    tally.checked(one, f.tensors.values());
  }
}

// The measured spread of a tensor, and its largest entry where it is bounded. Returns how many
// numbers were compared.
int check_spread(const Json& tolerances, const Json& measured, const Tensor& tensor,
                 bool is_bounded) {
  const double deviation = measured.at("std"), largest = measured.at("max");
  EXPECT_NEAR(tensor.std().item<double>(), deviation,
              tolerances.at("std_rel").get<double>() * deviation);
  if (is_bounded) {
    EXPECT_NEAR(tensor.max().item<double>(), largest,
                tolerances.at("bound_rel").get<double>() * largest);
  }
  return is_bounded ? 2 : 1;
}

// A feed-forward of d_in to d_out stands for the linear that was measured. Left out: lora_init
// gaussian, an option that we do not have.
TEST(MixLoraGolden, ItsMeasurementsOfKind_golden_initialisation) {
  const auto cases = golden_cases("initialisation");
  MOLT_NEEDS_GOLDEN(cases, "initialisation");
  GoldenTally tally("initialisation (mixlora)");
  for (const GoldenCase& one : cases) {
    int compared = 0;
    for (const Json& m : one.json.at("measurements")) {
      const std::string method = m.at("method");
      if (!method.starts_with("mixlora") || !m.contains("d_in")) continue;
      SCOPED_TRACE(m.dump());
      HandMadeFeedForward made({.width = m.at("d_in"), .inner = m.at("d_out"), .gated = false},
                               at::kFloat);
      const std::string routing = method == "mixlora-switch"    ? "switch"
                                  : method == "mixlora-dynamic" ? "dynamic"
                                                                : "top_k";
      made.attach_method("mixlora", "attention_targets: []\nrouting: " + routing + "\nexperts: " +
                                        m.at("experts").dump() + "\nrank: " + m.at("r").dump());
      const Json& tolerances = one.json.at("tolerances");
      compared += check_spread(tolerances, m.at("router"), made.value("mlp.router.weight"), false);
      std::vector<Tensor> downs;
      for (int64_t e = 0; e < m.at("experts").get<int64_t>(); ++e) {
        const std::string name = "mlp.up_proj.experts." + std::to_string(e) + ".lora_";
        downs.push_back(made.value(name + "A.weight"));
        EXPECT_EQ(made.value(name + "B.weight").abs().max().item<double>(), 0);
        ++compared;
      }
      compared += check_spread(tolerances, m.at("lora_A"), at::cat(downs), true);
    }
    if (compared > 0) tally.checked(one, compared);
  }
}

}  // namespace
}  // namespace molt::test
