// Golden kinds `lora_expert_linear` (one linear with experts, computed by the authors' code of
// DynMoLE, MoLA and LoRAMoE) and `initialisation` (measured distributions of initial values in the
// authors' code, including MixLoRA's feed-forward experts).
#include "base/scalars.h"
#include "support/golden_tensors.h"
#include "support/hand_made_feed_forward.h"
#include "support/routers.h"

namespace mixtune::test {
namespace {

const std::string kSite = "mlp.up_proj";

std::string recipe_of(const Json& c) {
  std::string y = "target_modules: [ffn_up]\nnum_experts: " + c.at("num_experts").dump() +
                  "\nr: " + c.at("lora_r").dump() + "\nlora_alpha: " + c.at("lora_alpha").dump() +
                  "\nlora_dropout: 0\n";
  const std::string method = c.at("routing_strategy");
  if (method == "dynmole")
    y += "top_p: " + c.at("top_p").dump() + "\nkeep_top_k: " + c.at("keep_top_k").dump() +
         "\nentropy_threshold: " + c.at("entropy_threshold").dump() +
         "\nentropy_index: " + c.at("entropy_index").dump() +
         "\nentropy_eps: " + c.at("entropy_eps").dump() +
         "\nentropy_loss: " + c.at("router_dyn_loss_coef").dump() +
         "\nbalance: " + c.at("router_aux_loss_coef").dump() + "\n";
  if (method == "mola")
    y += "top_k: " + c.at("top_k").dump() +
         "\nform: pooled\nbalance: " + c.at("router_aux_loss_coef").dump() + "\n";
  return y;
}

class ExpertFixture {
 public:
  explicit ExpertFixture(const GoldenCase& one)
      : golden(one),
        tensors(one.folder / "tensors.safetensors"),
        config(one.json.at("config")),
        made({{Role::ffn_up, kSite, config.at("d_out")}}, config.at("d_in"), at::kFloat) {
    made.group.weight.copy_(tensors.get("W0"));
    made.group.bias.zero_();
    made.attach_method(config.at("routing_strategy"), recipe_of(config));
    made.set(kSite + ".router.weight", tensors.get("router.weight"));
    for (int64_t e = 0; e < experts(); ++e) {
      made.set(expert(e) + ".lora_A.weight", tensors.get("experts.A")[e]);
      made.set(expert(e) + ".lora_B.weight", tensors.get("experts.B")[e]);
    }
  }

  int64_t experts() const { return config.at("num_experts"); }
  static std::string expert(int64_t e) { return kSite + ".experts." + std::to_string(e); }
  double tolerance(const char* name) const { return golden.json.at("tolerances").at(name); }

  void expect_gradients(const std::string& prefix, const Tensor& dx, bool of_experts) {
    const double tolerance_ = tolerance("grad_rel_max");
    if (tensors.has(prefix + "x"))
      tensors.expect_relative(dx, tensors.get(prefix + "x"), tolerance_, prefix + "x");
    tensors.expect_relative(made.gradient(kSite + ".router.weight"), tensors.get(prefix + "router"),
                            tolerance_, prefix + "router");
    if (!of_experts) return;
    std::vector<Tensor> a, b;
    for (int64_t e = 0; e < experts(); ++e) {
      a.push_back(made.gradient(expert(e) + ".lora_A.weight"));
      b.push_back(made.gradient(expert(e) + ".lora_B.weight"));
    }
    tensors.expect_relative(at::stack(a), tensors.get(prefix + "A"), tolerance_, prefix + "A");
    tensors.expect_relative(at::stack(b), tensors.get(prefix + "B"), tolerance_, prefix + "B");
  }

  const GoldenCase& golden;
  GoldenTensors tensors;
  const Json& config;
  HandMadeLinear made;
};

void check_forward_and_gradients(ExpertFixture& f) {
  const Json& scalars = f.golden.json.at("scalars");
  Reducer alone;
  const auto run = [&](const std::string& term, bool of_experts) {
    const Tensor x = f.tensors.get("x").clone().requires_grad_(true);
    f.made.attachment->trainables.zero_gradients();
    ForwardContext context = f.made.context(Phase::train);
    const Tensor y = f.made.forward(x, context);
    f.tensors.expect_near(y, f.tensors.get("y"), f.tolerance("output_abs"), "y");
    const Tensor main = (y * f.tensors.get("loss_weight")).sum();
    const Tensor weighted = f.made.attachment->auxiliary_sum(context);
    Tensor loss;
    if (term == "main") {
      loss = main;
      f.tensors.expect_near(main.item<double>(), scalars.at("L_main"), 10 * f.tolerance("loss_abs"),
                            "L_main");
    } else if (term == "total") {
      loss = weighted.defined() ? main + weighted : main;
      f.tensors.expect_near(loss.item<double>(), scalars.at("total"), 10 * f.tolerance("loss_abs"),
                            "total");
      if (weighted.defined())
        f.tensors.expect_near(weighted.item<double>(), scalars.at("aux"), f.tolerance("loss_abs"),
                              "aux");
    } else {
      for (const auto& [name, value] : f.made.attachment->auxiliary(context))
        if (name == (term == "entropy_loss" ? "entropy" : "load")) loss = value;
      f.tensors.expect_near(loss.item<double>(), scalars.at(term), f.tolerance("loss_abs"), term);
    }
    loss.backward();
    f.expect_gradients("grad." + term + ".", x.grad(), of_experts);
  };
  run("main", true);
  run("total", true);
  for (const std::string term : {"entropy_loss", "balance_loss"})
    if (scalars.contains(term)) run(term, false);
}

Routing routing_of(const Json& c) {
  const std::string method = c.at("routing_strategy");
  if (method == "mola")
    return {.selection = select_of("top_k", {{"k", c.at("top_k").dump()}}), .renormalizes = true};
  if (method == "loramoe") return {.selection = select_of("all")};
  return {.selection = select_of("strict_top_p", {{"p", c.at("top_p").dump()},
                                                  {"keep_top_k", c.at("keep_top_k").dump()}}),
          .entropy_switch = EntropySwitch{
              {Entropy::Kind::tsallis, c.at("entropy_index"), c.at("entropy_eps"), true},
              c.at("entropy_threshold")}};
}

void check_routing(ExpertFixture& f) {
  const Tensor logits = f.tensors.get("router_logits").clone().requires_grad_(true);
  const Tensor ours = at::linear(f.tensors.get("x"), f.tensors.get("router.weight"));
  f.tensors.expect_near(ours, logits, f.tolerance("output_abs"), "router_logits");
  const Routed routed = route(at::softmax(logits, 1), routing_of(f.config));
  f.tensors.expect_near(routed.probabilities, f.tensors.get("probs"), f.tolerance("weights_abs"),
                        "probs");
  f.tensors.expect_near(routed.weights, f.tensors.get("routing_weights"),
                        f.tolerance("weights_abs"), "routing_weights");
  if (f.tensors.has("selected_experts")) {
    const Tensor chosen =
        at::zeros_like(routed.mask).scatter_(1, f.tensors.get("selected_experts"), 1);
    f.tensors.expect_equal(routed.mask, chosen, "selected_experts");
  }
  const std::pair<std::string, std::pair<std::string, Options>> losses[] = {
      {"entropy_loss", {"entropy", {}}},
      {"balance_loss",
       {"load", {{"count", f.config.at("routing_strategy") == "mola" ? "selected" : "weight"}}}},
      {"balance_loss_original_mola", {"load", {{"count", "share"}, {"reduction", "layer_sum"}}}}};
  for (const auto& [term, loss] : losses) {
    const std::string key = "grad." + term + ".logits";
    if (!f.tensors.has(key)) continue;
    const Tensor value = loss_of(loss.first, loss.second, routed);
    f.tensors.expect_near(value.item<double>(), f.golden.json.at("scalars").at(term),
                          f.tolerance("loss_abs"), term);
    f.tensors.expect_relative(torch::autograd::grad({value}, {logits}, {}, true)[0],
                              f.tensors.get(key), f.tolerance("grad_rel_max"), key);
  }
}

void check_expert_linear(const GoldenCase& one, GoldenTally& tally) {
  ExpertFixture f(one);
  check_forward_and_gradients(f);
  check_routing(f);
  tally.checked(one, f.tensors.values());
}

MIXTUNE_GOLDEN_CHECKER(lora_expert_linear, check_expert_linear);

// Compares the initial values of a method on one linear with measured moments.
struct InitialValues {
  Tensor a, b, router;
};

// MixLoRA's experts are feed-forwards: one of d_in to d_out is used in place of the linear.
InitialValues draw_as_feed_forward(const Json& m) {
  const std::string method = m.at("method"), experts = m.at("experts").dump();
  const std::string routing =
      method == "mixlora" ? "top_k" : method.substr(std::string("mixlora-").size());
  HandMadeFeedForward made({.width = m.at("d_in"), .inner = m.at("d_out"), .gated = false},
                           at::kFloat);
  made.attach_method("mixlora", "attention_target_modules: []\nrouting: " + routing +
                                    "\nnum_experts: " + experts + "\nr: " + m.at("r").dump());
  std::vector<Tensor> a, b;
  for (int64_t e = 0; e < m.at("experts").get<int64_t>(); ++e) {
    const std::string name = "mlp.up_proj.experts." + std::to_string(e) + ".lora_";
    a.push_back(made.value(name + "A.weight"));
    b.push_back(made.value(name + "B.weight"));
  }
  return {at::cat(a), at::cat(b), made.value("mlp.router.weight")};
}

InitialValues draw_as(const Json& m) {
  std::string method = m.at("method");
  const bool plain = method == "lora", normal = method.starts_with("mixlora");
  if (normal && m.contains("d_in")) return draw_as_feed_forward(m);
  if (normal) method = "mixture";  // the option init is the mixture's
  const auto number = [&](const char* key, int64_t otherwise) {
    return m.contains(key) && m.at(key).is_number() ? m.at(key).get<int64_t>() : otherwise;
  };
  const int64_t in = number("d_in", 512), out = number("d_out", 64), rank = number("r", 16),
                experts = number("experts", 8);
  std::string y = "target_modules: [ffn_up]\nr: " + std::to_string(rank) + "\n";
  y += std::string("init_lora_weights: ") + (m.contains("lora_init") ? "gaussian" : "uniform") +
       "\n";
  if (!plain) {
    y += "num_experts: " + std::to_string(experts) + "\n";
    const std::string range =
        m.contains("router_init_range") ? m.at("router_init_range").dump() : "5";
    y += normal ? "router: {init: normal, std: " + range + "}\n"
                : "router: {range: " + range + "}\n";
  }
  HandMadeLinear made({{Role::ffn_up, kSite, out}}, in, at::kFloat);
  made.attach_method(method, y);
  if (plain)
    return {made.value(kSite + ".lora_A.weight"), made.value(kSite + ".lora_B.weight"), {}};
  InitialValues initial;
  std::vector<Tensor> a, b;
  for (int64_t e = 0; e < experts; ++e) {
    a.push_back(made.value(kSite + ".experts." + std::to_string(e) + ".lora_A.weight"));
    b.push_back(made.value(kSite + ".experts." + std::to_string(e) + ".lora_B.weight"));
  }
  return {at::stack(a), at::stack(b), made.value(kSite + ".router.weight")};
}

// Compares standard deviation, kurtosis and bounds; returns the number of compared values.
long long expect_alike(const Tensor& ours, const Json& theirs, const Json& tolerances) {
  const Tensor x = ours.to(at::kDouble).reshape({-1});
  const double deviation = theirs.at("std"), theirs_max = theirs.at("max");
  if (deviation == 0) {
    EXPECT_EQ(x.abs().max().item<double>(), 0);
    return 1;
  }
  const Tensor centred = x - x.mean();
  const double variance = centred.pow(2).mean().item<double>();
  const double kurtosis = centred.pow(4).mean().item<double>() / (variance * variance);
  EXPECT_NEAR(std::sqrt(variance) / deviation, 1, tolerances.at("std_rel").get<double>());
  EXPECT_NEAR(kurtosis, theirs.at("kurtosis_uniform_is_1.8_normal_is_3").get<double>(), 0.25);
  if (kurtosis > 2.2) return 2;
  // Uniform: the bound is sharp.
  EXPECT_NEAR(x.abs().max().item<double>() / theirs_max, 1,
              tolerances.at("bound_rel").get<double>());
  return 3;
}

void check_initialisation(const GoldenCase& one, GoldenTally& tally) {
  long long values = 0;
  for (const Json& m : one.json.at("measurements")) {
    SCOPED_TRACE(m.dump().substr(0, 120));
    const InitialValues initial = draw_as(m);
    const Json& tolerances = one.json.at("tolerances");
    if (m.contains("lora_A")) values += expect_alike(initial.a, m.at("lora_A"), tolerances);
    if (m.contains("lora_B")) values += expect_alike(initial.b, m.at("lora_B"), tolerances);
    if (m.contains("router")) values += expect_alike(initial.router, m.at("router"), tolerances);
  }
  tally.checked(one, values);
}

MIXTUNE_GOLDEN_CHECKER(initialisation, check_initialisation);

}  // namespace
}  // namespace mixtune::test
